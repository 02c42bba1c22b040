//! What can be wrong with an interpreter or with the packages that tests need.

use std::path::PathBuf;

/// Why there is no environment to run Python in.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// No interpreter was found.
    #[error("no python3 found in {looked}; install Python 3.9 or newer, or name an interpreter")]
    NotFound {
        /// The places that were looked at.
        looked: String,
    },
    /// The program did not answer as an interpreter does.
    #[error("`{path}` is not a usable CPython interpreter: {reason}")]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What it answered instead.
        reason: String,
    },
    /// The interpreter is older than 3.9.
    #[error("`{path}` is Python {version}, but 3.9 or newer is needed")]
    TooOld {
        /// The interpreter.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// The interpreter has no `pip`, or one that cannot report what it resolved.
    #[error(
        "`{path} -m pip` cannot install test requirements: {reason}; install pip 22.2 or newer for this interpreter"
    )]
    NoInstaller {
        /// The interpreter.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The requirements could not be resolved or fetched as wheels.
    #[error("requirements {requirements:?} could not be installed: {reason}")]
    Requirements {
        /// What was asked for.
        requirements: Vec<String>,
        /// The last lines of what the installer said.
        reason: String,
    },
    /// A file-system error; its message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
