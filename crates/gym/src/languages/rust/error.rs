//! What can be wrong with a Rust toolchain or with the crates that a project needs.

use std::path::PathBuf;

/// Why there is no environment to build Rust in.
#[derive(Debug, thiserror::Error)]
pub enum RustError {
    /// No toolchain was found.
    #[error("no cargo found in {looked}; install Rust, for example with https://rustup.rs")]
    NotFound {
        /// The places that were looked at.
        looked: String,
    },
    /// The program did not answer as cargo or rustc does.
    #[error("`{path}` is not usable: {reason}")]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What it answered instead.
        reason: String,
    },
    /// The manifest says something that is not understood.
    #[error("`Cargo.toml`: {reason}")]
    Manifest {
        /// One line.
        reason: String,
    },
    /// The dependencies could not be resolved or fetched.
    #[error("the dependencies of the crate could not be {step}: {reason}")]
    Dependencies {
        /// `resolved`, `fetched` or `built`.
        step: &'static str,
        /// The last lines of what cargo said.
        reason: String,
    },
    /// The sandbox in which dependencies are built failed.
    #[error(transparent)]
    Sandbox(#[from] basis_sandbox::SandboxError),
    /// A file-system error; its message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
