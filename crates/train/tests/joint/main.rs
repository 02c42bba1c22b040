//! The ways of training from end to end, with the embedded engine at a tiny size and a world without sandboxes.

mod learning;
mod resuming;
mod world;
