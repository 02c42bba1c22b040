//! Why joint training could not go on. Everything recorded and every checkpoint stays good.

use std::path::PathBuf;

use super::LogError;
use crate::engines::EngineError;
use crate::renderer::RendererError;

/// Failures of [`super::train()`].
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting cannot work or would have no effect.
    #[error("setting `{name}` must be {expected}")]
    Setting {
        /// The setting.
        name: String,
        /// What it must be.
        expected: String,
    },
    /// Nothing to train on.
    #[error("the training pack has no task to train on; mine or generate one, or raise `tasks`")]
    NoTasks,
    /// Infrastructure fails too often for the numbers to mean anything.
    #[error("{invalid} of {total} episodes of {phase} {iteration} are invalid, first cause: {cause}")]
    TooManyInvalid {
        /// Invalid episodes.
        invalid: usize,
        /// All episodes of the iteration or probe.
        total: usize,
        /// `train` or `probe`.
        phase: &'static str,
        /// Which one.
        iteration: u32,
        /// Cause of the first invalid episode.
        cause: String,
    },
    /// What was to be trained on is older than allowed, which the schedule rules out: a defect.
    #[error(
        "a token is {steps} optimiser steps older than the weights that train on it, at most {bound} are allowed; please report this"
    )]
    TooOld {
        /// Its age.
        steps: u64,
        /// The bound.
        bound: u64,
    },
    /// A checkpoint cannot be written or read.
    #[error("checkpoint `{path}`: {source}")]
    Checkpoint {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A checkpoint's state cannot be understood.
    #[error("checkpoint `{path}` is damaged: {reason}; remove its directory to go on from the one before")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The renderer's files cannot be written.
    #[error(transparent)]
    Renderer(#[from] RendererError),
    /// The run cannot be recorded.
    #[error("the run cannot be recorded: {0}")]
    Log(#[source] LogError),
}
