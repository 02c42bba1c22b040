//! From graded episodes to new weights; the only crate with tensors, and those live only in `engines/`.
//!
//! In reading order: how conversations become ids ([`tokenizer`], [`renderer`]); what samples and trains ([`engines`]); how
//! episodes and agents of others reach it ([`policy`], [`upstream`], [`batcher`]), and programs that train elsewhere
//! ([`tinker_server`]); what is learned from them ([`algo`], [`batch`]); the two ways of training
//! ([`sft`], [`run`]).

pub mod algo;
pub mod batch;
pub mod batcher;
pub mod engines;
pub mod optimizer;
pub mod policy;
pub mod renderer;
pub mod run;
pub mod sft;
#[cfg(test)]
mod testing;
pub mod tinker_server;
pub mod tokenizer;
pub mod upstream;
