//! The ways of training from end to end, with the embedded engine at a tiny size and a world without sandboxes.

mod conflict;
mod deadlines;
mod dying;
mod learning;
mod overlapping;
mod programs;
mod resuming;
mod sharing;
mod simulated;
mod world;
