//! What a caller can show while training goes on.

use std::path::Path;

use basis_gym::episode::Episode;
use basis_gym::stats::Evaluation;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Training goes on from a checkpoint.
    Resumed {
        /// The last finished iteration.
        iteration: u32,
    },
    /// Episodes begin to be played.
    Rollout {
        /// `train` or `probe`.
        phase: &'static str,
        /// From 1 in training; a probe has the number of finished iterations.
        iteration: u32,
        /// Episodes in all.
        total: usize,
        /// Episodes that were recorded before and are used again.
        reused: usize,
    },
    /// An episode is over.
    Episode {
        /// `train` or `probe`.
        phase: &'static str,
        /// As in [`Event::Rollout`].
        iteration: u32,
        /// Episodes done, reused ones included.
        done: usize,
        /// Episodes in all.
        total: usize,
        /// The episode.
        episode: &'a Episode,
    },
    /// An iteration was learned from.
    Iteration {
        /// Which one, from 1.
        iteration: u32,
        /// How many there will be.
        iterations: u32,
        /// Its numbers.
        metrics: &'a [(String, f64)],
    },
    /// A probe was measured.
    Probe {
        /// Finished iterations.
        iteration: u32,
        /// What was measured.
        evaluation: &'a Evaluation,
    },
    /// A checkpoint is complete.
    Checkpoint {
        /// Its iteration.
        iteration: u32,
        /// Its directory.
        dir: &'a Path,
    },
}
