//! Why supervised training could not be done.

use crate::engines::EngineError;

/// Failures of [`super::train`].
#[derive(Debug, thiserror::Error)]
pub enum SftError {
    /// A setting cannot work.
    #[error("setting `{name}` of supervised training must be {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Nothing to learn from.
    #[error(
        "no episode of the {given} given can be trained on: {unusable} are malformed or empty, {too_long} exceed the context of {context} tokens"
    )]
    NoData {
        /// Episodes given.
        given: usize,
        /// Episodes with malformed turns or without turns.
        unusable: usize,
        /// Episodes that are too long.
        too_long: usize,
        /// The model's context.
        context: usize,
    },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
