//! What stays of a run: one directory per run, one recorder that writes it, many readers, also while it runs.
//!
//! ```text
//! <runs>/<run>/run.lock        held by the recorder; a killed process releases it
//!              config.toml     the effective settings
//!              run.db          SQLite in WAL mode: one row per episode, its body as zstd JSON; grades that were replaced
//!              metrics.jsonl   one line per step
//!              events.out.tfevents.*   the same numbers for TensorBoard
//!              checkpoints/    written by the trainer
//!              manifest.json   written last: its presence means that the run is complete
//! ```
//!
//! An episode is acknowledged when [`Recorder::record`] returns; after that no kill of the process loses it, and recording it
//! again changes nothing. After a power failure the last few may be missing, never damaged. The store knows nothing of
//! policies, graders or training.

mod body;
mod error;
mod key;
mod layout;
mod manifest;
mod metrics;
mod reader;
mod recorder;
mod regrader;
mod runs;
mod schema;
mod tensorboard;

#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use key::EpisodeKey;
pub use manifest::Manifest;
pub use metrics::MetricsRow;
pub use reader::{Cell, EpisodeFilter, EpisodeRow, Reader};
pub use recorder::{Recorder, RunStart};
pub use regrader::{OldGrade, Regrader};
pub use runs::{RunEntry, RunState, find_run, list_runs};
