//! Why something could not be written or read in a format of others.

use std::path::{Path, PathBuf};

use crate::blobs::BlobError;
use crate::sources::SourceError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The place to write to is taken.
    #[error("`{0}` is there already; choose another place with `--out`")]
    Taken(PathBuf),
    /// Not one task or episode fits the format.
    #[error("nothing was written: {reason}")]
    Nothing {
        /// Why.
        reason: String,
    },
    /// A field is missing, unknown, or holds something else than expected.
    #[error("{place}: {problem}; {next}")]
    Field {
        /// File, and line or task.
        place: String,
        /// The field and what is wrong with it.
        problem: String,
        /// What to do.
        next: &'static str,
    },
    /// A file of another version or kind.
    #[error("`{path}` {problem}; {next}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        next: &'static str,
    },
    /// A repository or project cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A tree cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A file-system error, with its path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl FormatError {
    /// A field of a file that is wrong.
    pub(super) fn field(place: impl Into<String>, problem: impl Into<String>, next: &'static str) -> Self {
        Self::Field { place: place.into(), problem: problem.into(), next }
    }

    /// A file that is wrong as a whole.
    pub(super) fn file(path: &Path, problem: impl Into<String>, next: &'static str) -> Self {
        Self::File { path: path.to_owned(), problem: problem.into(), next }
    }
}
