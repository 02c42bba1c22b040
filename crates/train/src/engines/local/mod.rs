//! The embedded engine: a decoder-only transformer of the Qwen3 architecture, written out by hand for one machine's CPU cores, in fp32.
//!
//! In reading order: what a model is ([`config`], `model`), how it is trained (`training`), how it is sampled from (`sampling`), how it is
//! kept (`checkpoint`), and [`Local`], which puts these behind the trait. `math` holds the few vector and matrix operations below, [`clock`] counts where the time goes.
//! It knows nothing about text, tasks or rewards.

pub(crate) mod checkpoint;
pub mod clock;
pub mod config;
mod engine;
mod math;
pub(crate) mod model;
pub(crate) mod sampling;
pub(crate) mod training;

pub use config::Config;
pub use engine::Local;
