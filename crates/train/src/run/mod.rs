//! Joint reinforcement learning: one policy, all skills, one buffer.
//!
//! [`train()`] wires the parts and drives them: `mixture` chooses tasks, `collect` plays them, `update` learns from the episodes,
//! `checkpoint` keeps what was learned, `probe` measures. The parts do not know each other. What is stored goes through
//! [`RunLog`], what people see through [`Event`].

mod checkpoint;
mod collect;
mod config;
mod error;
mod event;
mod log;
mod metrics;
mod mixture;
mod train;
mod update;

pub use checkpoint::{Checkpoints, State};
pub use config::{LOSSES, ProbeConfig, TrainConfig};
pub use error::TrainError;
pub use event::Event;
pub use log::{LogError, RunLog};
pub use mixture::Mixture;
pub use train::{TrainReport, Training, train};
