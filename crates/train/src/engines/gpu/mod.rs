//! The engine for GPUs: the architecture, the files and the losses of `local`, written with the tensors of PyTorch's library, libtorch.
//!
//! In reading order: which device ([`device`]), weights on it ([`parameters`], [`weights`]), the decoder ([`decoder`], [`products`],
//! [`frame`]), training ([`batches`], [`training`], [`head`], [`optimizer`]), sampling ([`sampling`], [`cache`]), how much at once
//! ([`limits`]), and [`Gpu`], which puts these behind the trait. What a model is on disk, which id is chosen from logits, and what a target
//! costs is the code of `local`.
//!
//! Covered: full and LoRA training in fp32 and bf16, all losses, activations computed again, continuous batching. Not covered: several devices;
//! beginnings that sequences share, in training and in caches, are computed for each; a session's turns begin from the first id.
//!
//! What it did on an H200 is in `docs/results/engine.md`. Its tests also run where there is no GPU (feature `gpu-tests`): libtorch then
//! computes on the processor, with the same code.

mod batches;
mod cache;
mod decoder;
mod device;
mod engine;
mod frame;
mod head;
mod limits;
mod optimizer;
mod parameters;
mod products;
mod sampling;
mod training;
mod weights;

#[cfg(test)]
mod tests;

pub(super) use device::available;
pub use engine::Gpu;
