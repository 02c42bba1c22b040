//! Tasks and episodes in the formats of others: one folder or file per format, and a line in [`ALL`].
//!
//! What is written appears whole or not at all. What is read is checked before anything of it is kept, and a task that is read
//! passes the same gates as every other. Formats know nothing of runs or packs on disk; the caller reads and writes those.

pub mod atif;
mod error;
pub mod harbor;
mod output;
pub mod patch;
pub mod rows;
pub mod swebench;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::FormatError;

use crate::episode::Episode;
use crate::factory::{Recipe, Yield};
use crate::grade::Workshop;
use crate::task::Task;
use crate::tree::LayerStore;

/// All formats, in the order in which they are listed.
pub static ALL: &[&Format] = &[
    &harbor::FORMAT,
    &swebench::ROWS,
    &swebench::PREDICTIONS,
    &atif::FORMAT,
    &rows::VERL,
    &rows::SKYRL,
    &rows::TRL,
    &rows::NEMO,
];

/// The format of this name.
pub fn find(name: &str) -> Option<&'static Format> {
    ALL.iter().copied().find(|format| format.name == name)
}

/// One format.
pub struct Format {
    /// The name by which it is chosen.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// How it is written.
    pub export: Export,
    /// How it is read, if it is.
    pub import: Option<Import>,
}

/// Writes the tasks of a pack to a path.
pub type WriteTasks = fn(&Workshop, &[Arc<Task>], &Path) -> Result<Written, FormatError>;
/// Reads episodes, perhaps of some of these tasks, from a path.
pub type ReadEpisodes = fn(&Workshop, &[Arc<Task>], &Path) -> Result<Vec<Episode>, FormatError>;

/// How a format is written. Each function writes to a path where nothing is yet.
pub enum Export {
    /// From the tasks of a pack.
    Tasks(WriteTasks),
    /// From the episodes of a run.
    Episodes(fn(&Workshop, &[Played], &Path) -> Result<Written, FormatError>),
}

/// How a format is read.
pub enum Import {
    /// As tasks, gated here.
    Tasks(fn(&Intake, &Path) -> Result<Yield, FormatError>),
    /// As episodes that were played elsewhere, perhaps on some of these tasks.
    Episodes(ReadEpisodes),
}

/// An episode of a run, with what surrounds it.
pub struct Played {
    /// The run.
    pub run: String,
    /// The episode within the run: phase, iteration, task, sample.
    pub key: String,
    /// What happened.
    pub episode: Episode,
    /// Its task, if it is in one of the packs that were named.
    pub task: Option<Arc<Task>>,
}

/// What tasks are read with.
pub struct Intake<'a> {
    /// Where they are gated; their trees go into its blobs.
    pub workshop: &'a Workshop,
    /// Where downloads are kept.
    pub downloads: &'a LayerStore,
    /// Which tasks are made.
    pub recipe: &'a Recipe,
    /// Where repositories are that are named by their owner and name.
    pub repositories: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Tasks or episodes.
    pub count: usize,
    /// What the format has no room for: its name and why.
    pub left_out: Vec<(String, String)>,
}

impl Written {
    /// Counts one that was written, or keeps why it was not.
    fn add(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.count += 1,
            Err(reason) => self.left_out.push((name.to_owned(), reason)),
        }
    }

    /// Itself, unless nothing could be written.
    fn unless_empty(self) -> Result<Self, FormatError> {
        match self.left_out.first() {
            _ if self.count > 0 => Ok(self),
            Some((name, reason)) => Err(FormatError::Nothing { reason: format!("`{name}`: {reason}") }),
            None => Err(FormatError::Nothing { reason: "there is nothing to write".to_owned() }),
        }
    }
}
