//! What every engine must do, checked for each one in the registry through the trait alone.
//!
//! A model is a Hugging Face directory; gradients are read off what an optimiser step changes in the saved weights.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![expect(clippy::print_stderr, reason = "skipped tests say why")]

mod adapters;
mod agreement;
mod checkpoints;
mod gradients;
mod learning;
mod memory;
mod reference;
mod sampling;
mod support;
mod transformers;
