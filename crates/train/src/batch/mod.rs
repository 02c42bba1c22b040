//! From credited episodes to what an engine trains on. No tensors; ids are taken as they were sampled.
//!
//! [`batches`] deals the episodes out to optimiser steps and folds quotas and normalisation into the weights of the loss.

mod config;
mod datum;
pub mod importance;
pub mod reference;
mod split;
mod weights;

pub use config::{BatchConfig, Reduction};
pub use datum::datum;
pub(crate) use split::sets;
pub use split::{Batch, batches};
pub use weights::Share;
