//! Runs untrusted commands in throw-away sandboxes.
//!
//! A [`Backend`] makes [`Sandbox`]es from a [`SandboxSpec`]: read-only layers with a copy-on-write view on top, read-only
//! mounts for the toolchain, no network, and [`Limits`]. Everything here blocks; callers bring their own threads.
//! This crate knows nothing of tasks, tests or models, and what a command prints is never interpreted.

pub mod backends;
pub mod bench;
mod error;
mod output;
mod spec;

pub use error::SandboxError;
pub use output::{Captured, Change, ChangeKind, Outcome, Output};
pub use spec::{Command, Limits, Mount, SandboxSpec};

/// Makes sandboxes of one technology.
pub trait Backend: Send + Sync {
    /// The name under which the backend is selected and recorded, for example `namespace`.
    fn name(&self) -> &'static str;

    /// Says, for each limit, how this backend keeps it on this machine.
    fn enforcement(&self) -> Vec<Enforcement>;

    /// Creates a sandbox that is ready for commands.
    ///
    /// # Errors
    /// Any error is a failure of infrastructure or of the specification, never of the code that would run inside.
    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError>;
}

/// One sandbox. Dropping it destroys it.
pub trait Sandbox: Send {
    /// Runs one command to its end and kills what it leaves behind in the foreground session.
    ///
    /// A command that fails, times out or is killed is an [`Output`], never an `Err`.
    ///
    /// # Errors
    /// [`SandboxError`] when the sandbox itself was lost or could not start the command for reasons of its own.
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError>;

    /// Reads a regular file below the working directory from the host side, following no links.
    ///
    /// # Errors
    /// [`SandboxError::NotFound`], [`SandboxError::NotRegular`], [`SandboxError::TooLarge`] when longer than `max_bytes`.
    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError>;

    /// Writes a regular file below the working directory, creating its parents.
    ///
    /// # Errors
    /// [`SandboxError`] when the path leaves the working directory, crosses a link, or the disk limit is reached.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError>;

    /// Kills every process; afterwards only `read`, `changes` and `destroy` work.
    ///
    /// # Errors
    /// [`SandboxError`] when the processes could not be confirmed dead.
    fn freeze(&mut self) -> Result<(), SandboxError>;

    /// Lists what differs from the layers, as seen from the host in the upper layer, sorted by path.
    ///
    /// # Errors
    /// [`SandboxError`] when the upper layer cannot be read.
    fn changes(&mut self) -> Result<Vec<Change>, SandboxError>;

    /// Kills every process and gives all resources back. Idempotent.
    ///
    /// # Errors
    /// [`SandboxError`] when something may have stayed behind.
    fn destroy(&mut self) -> Result<(), SandboxError>;
}

/// How one limit is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Enforcement {
    /// The limit: `wall`, `memory`, `processes`, `output`, `disk`, `network`.
    pub limit: &'static str,
    /// Whether the kernel keeps it exactly, something watches it, or nothing does.
    pub strength: Strength,
    /// The mechanism, in words.
    pub how: String,
}

/// How strongly a limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// By the kernel or by the harness, exactly.
    Enforced,
    /// Per process or by sampling; a short excess is possible.
    Watched,
    /// Not at all on this machine.
    Absent,
}
