//! Runs untrusted commands in throw-away sandboxes.
//!
//! A [`Backend`] makes [`Sandbox`]es from a [`SandboxSpec`]: read-only layers with a copy-on-write view on top, read-only
//! mounts for the toolchain, no network, and [`Limits`]. Everything here blocks; callers bring their own threads.
//! This crate knows nothing of tasks, tests or models, and what a command prints is never interpreted.
//!
//! | cause | where it is said |
//! | --- | --- |
//! | exited, signalled, timed out, out of memory, interrupted, too much output | [`Outcome`] |
//! | out of disk, too many processes | [`Output::refused`]: the command was told so and went on |
//! | output cut | [`Captured::truncated`] |
//! | sandbox lost | [`SandboxError::Lost`] |
//! | the backend has no such operation | [`SandboxError::Unsupported`] |

pub mod backends;
pub mod bench;
mod enforcement;
mod error;
mod holding;
#[cfg(target_os = "linux")]
pub mod images;
mod interrupt;
mod output;
pub mod patience;
pub mod pool;
mod spec;

pub use enforcement::{Enforcement, Strength};
pub use error::SandboxError;
pub use holding::Holding;
pub use interrupt::Interrupter;
pub use output::{Captured, Change, ChangeKind, FileEdit, Outcome, Output, Refused, ShellOutput, Standing};
pub use spec::{Command, Limits, Mount, SandboxSpec, ShellLine};

use std::net::TcpListener;
use std::path::Path;

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

/// One of the two streams that a command writes for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Gets what a command writes, as it is written: all of it, also what is too long to be kept.
pub type Sink<'a> = &'a mut dyn FnMut(Stream, &[u8]);

/// One sandbox. Dropping it destroys it.
///
/// Operations with a body here are those that a backend may lack; it then says [`SandboxError::Unsupported`].
pub trait Sandbox: Send {
    /// Runs one command to its end and kills what it leaves behind in the foreground session.
    ///
    /// A command that fails, times out or is killed is an [`Output`], never an `Err`.
    ///
    /// # Errors
    /// [`SandboxError`] when the sandbox itself was lost or could not start the command for reasons of its own.
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError>;

    /// Like [`Sandbox::exec`], and hands `sink` each piece of output when it arrives.
    ///
    /// # Errors
    /// Those of [`Sandbox::exec`].
    fn exec_streaming(&mut self, command: &Command, sink: Sink<'_>) -> Result<Output, SandboxError> {
        let _ = (command, sink);
        Err(SandboxError::unsupported("stream the output of a command"))
    }

    /// Runs one line in a shell (bash) that stays alive from line to line, with its directory, variables, functions and
    /// background jobs. The first line starts it in the working directory with the environment of the specification.
    ///
    /// What background jobs write between two lines is thrown away. When the shell ends, by itself or because a line ran out
    /// of time, its jobs end too, and the next line starts in a new shell.
    ///
    /// # Errors
    /// Those of [`Sandbox::exec`].
    fn shell(&mut self, line: &ShellLine, sink: Sink<'_>) -> Result<ShellOutput, SandboxError> {
        let _ = (line, sink);
        Err(SandboxError::unsupported("keep a shell alive between commands"))
    }

    /// A handle with which another thread can end the command that runs here.
    ///
    /// # Errors
    /// [`SandboxError`] when the handle cannot be made.
    fn interrupter(&self) -> Result<Interrupter, SandboxError> {
        Err(SandboxError::unsupported("interrupt a command"))
    }

    /// A listener at a free port of the loopback interface inside, on which this process accepts: commands reach it at its address,
    /// and nothing outside the sandbox does. It stays when commands end.
    ///
    /// # Errors
    /// [`SandboxError`] when the sandbox was lost or has no sockets left.
    fn listen(&mut self) -> Result<TcpListener, SandboxError> {
        Err(SandboxError::unsupported("listen inside a sandbox"))
    }

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

    /// Kills every process; afterwards only `read`, `changes`, `fork`, `snapshot` and `destroy` work.
    ///
    /// # Errors
    /// [`SandboxError`] when the processes could not be confirmed dead.
    fn freeze(&mut self) -> Result<(), SandboxError>;

    /// Lists what differs from the layers, as seen from the host in the upper layer, sorted by path.
    ///
    /// Whatever a command did to names, modes and kinds of files, this lists it; it is no reason to fail.
    ///
    /// # Errors
    /// [`SandboxError`] when the upper layer cannot be read.
    fn changes(&mut self) -> Result<Vec<Change>, SandboxError>;

    /// A second live sandbox that goes on from the files of this one: working directory, `/tmp` and `/dev/shm`. Processes
    /// and shells are not taken along. This one may be live or frozen and stays as it is; while its files are copied its
    /// processes stand still.
    ///
    /// # Errors
    /// [`SandboxError`] when the second one cannot be created.
    fn fork(&mut self) -> Result<Box<dyn Sandbox>, SandboxError> {
        Err(SandboxError::unsupported("fork a sandbox"))
    }

    /// Makes the directory `layer`, which must not exist, with the changes of the working directory in the form of a
    /// layer: put after the layers of this sandbox in a [`SandboxSpec`], it shows what this sandbox shows now.
    ///
    /// # Errors
    /// [`SandboxError`] when the directory exists or cannot be written; it is then removed again.
    fn snapshot(&mut self, layer: &Path) -> Result<(), SandboxError> {
        let _ = layer;
        Err(SandboxError::unsupported("make a layer of a sandbox"))
    }

    /// What a later command could find here, as a digest: two equal ones say that nothing in between left anything behind. `None` when
    /// something lives that no digest can tell, a process for example, or there is too much to look at.
    ///
    /// # Errors
    /// [`SandboxError`] when it cannot be looked at, or was frozen.
    fn standing(&mut self) -> Result<Option<Standing>, SandboxError> {
        Err(SandboxError::unsupported("tell what a command left behind"))
    }

    /// Kills every process and gives all resources back. Idempotent.
    ///
    /// # Errors
    /// [`SandboxError`] when something may have stayed behind.
    fn destroy(&mut self) -> Result<(), SandboxError>;
}
