//! Joint reinforcement learning: one policy, all skills, one buffer.
//!
//! [`train()`] wires the parts and drives them: `mixture` chooses tasks, `collect` plays them, `update` learns from the episodes,
//! `checkpoint` keeps what was learned, `probe` measures; `overlap` plays and learns at the same time, as far as `schedule` lets
//! it. `interference` and `bias` measure what training does, `watch` knows deadlines. The parts do not know each other. What is stored goes through
//! [`RunLog`], what people see through [`Event`].

mod bias;
mod checkpoint;
mod collect;
mod config;
mod curriculum;
mod error;
mod event;
mod interference;
mod log;
mod metrics;
mod mixture;
mod overlap;
mod schedule;
mod staleness;
mod train;
mod update;
mod watch;

pub use checkpoint::{Checkpoints, State};
pub use config::{LOSSES, ProbeConfig, TrainConfig};
pub use curriculum::CurriculumConfig;
pub use error::TrainError;
pub use event::Event;
pub use interference::{Effect, Interference};
pub use log::{LogError, RunLog};
pub use mixture::Mixture;
pub use schedule::Schedule;
pub use train::{TrainReport, Training, train};
pub use watch::{Deadlines, Overdue, Phase};
