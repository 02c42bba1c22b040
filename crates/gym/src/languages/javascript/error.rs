//! What can be wrong with node and with the packages that a project needs.

use std::path::PathBuf;

/// Why a JavaScript project cannot be run here.
#[derive(Debug, thiserror::Error)]
pub enum JavaScriptError {
    /// There is no node.
    #[error("no node found in {looked}; install Node.js 20 or later")]
    NotFound {
        /// Where was looked.
        looked: String,
    },
    /// A program called node that is none.
    #[error("`{path}` is not a usable node: {reason}")]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What it did.
        reason: String,
    },
    /// An old node.
    #[error("`{path}` is node {version}; 20 or later is needed")]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// Packages cannot be resolved or fetched.
    #[error("the packages of the project cannot be {what}: {reason}")]
    Packages {
        /// `resolved` or `fetched`.
        what: &'static str,
        /// Why, in one line.
        reason: String,
    },
    /// A file-system error; its message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
