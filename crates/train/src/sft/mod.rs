//! Supervised training on a teacher's episodes: what gives a model from nothing its first idea of the tools.
//!
//! [`data`] renders episodes, [`schedule`] is the learning rate, [`train`] the loop. The loss is on the assistant's ids only.
//! Whose episodes these are is the caller's business; [`chosen()`] picks the successes among graded ones.

mod chosen;
mod config;
pub mod data;
mod error;
pub mod rename;
pub mod schedule;
mod train;

pub use chosen::chosen;
pub use config::SftConfig;
pub use error::SftError;
pub use train::{Progress, Sft, SftReport, train};
