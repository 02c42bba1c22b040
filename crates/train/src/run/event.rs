//! What a caller can show while training goes on.

use std::path::Path;

use basis_gym::episode::Episode;
use basis_gym::stats::Evaluation;

use super::Interference;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Training goes on from a checkpoint.
    Resumed {
        /// The last finished iteration.
        iteration: u32,
    },
    /// An iteration or probe waits for its episodes.
    Rollout {
        /// `train` or `probe`.
        phase: &'static str,
        /// From 1 in training; a probe has the number of finished iterations.
        iteration: u32,
        /// Episodes in all.
        total: usize,
        /// Episodes that are there already: recorded before a kill, or, when rollouts overlap, played during the last iteration.
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
    /// It was measured what a step on one skill does to the others.
    Interference {
        /// Before learning from which iteration.
        iteration: u32,
        /// The matrix.
        matrix: &'a Interference,
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
