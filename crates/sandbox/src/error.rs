//! Failures of the sandbox itself. What goes wrong inside a command is an `Output`, not an error.

use std::path::PathBuf;

/// Why a sandbox could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The machine cannot run this backend.
    #[error("backend `{backend}` is not available: {reason}")]
    Unavailable {
        /// The backend's name.
        backend: &'static str,
        /// What is missing and how to get it.
        reason: String,
    },
    /// A layer, mount or path of the specification is wrong.
    #[error("sandbox specification: `{path}`: {reason}")]
    Spec {
        /// The path that is wrong.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The image that sandboxes run cannot be had.
    #[error("image `{image}` cannot be pulled: {reason}")]
    Image {
        /// Its name.
        image: String,
        /// What the registry or the node says.
        reason: String,
    },
    /// The sandbox died or stopped answering.
    #[error("sandbox lost: {0}")]
    Lost(String),
    /// The backend has no such operation.
    #[error("this sandbox cannot {operation}; the backend `namespace` can")]
    Unsupported {
        /// What was asked for, to follow `cannot`.
        operation: &'static str,
    },
    /// No such file below the working directory.
    #[error("no file `{0}` in the sandbox")]
    NotFound(String),
    /// The path is a link, directory or device, or leaves the working directory.
    #[error("`{0}` is not a regular file inside the working directory")]
    NotRegular(String),
    /// The file is longer than the caller wants to read.
    #[error("`{path}` has {size} bytes, more than the {max} allowed")]
    TooLarge {
        /// The file.
        path: String,
        /// Its length.
        size: u64,
        /// The caller's limit.
        max: u64,
    },
    /// A system call of the host side failed.
    #[error("{what}: {source}")]
    System {
        /// What was being done, with its path.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl SandboxError {
    /// An operation that a backend lacks, in words that follow `cannot`.
    pub fn unsupported(operation: &'static str) -> Self {
        Self::Unsupported { operation }
    }

    /// Wraps a system error with what was being done.
    pub fn system(what: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::System { what: what.into(), source: source.into() }
    }
}
