//! What a sandbox is made of and what a command may use.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a sandbox is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    /// Layers of the root, those of an image for example, lowest first; everything in it can be written, copy-on-write. Empty means
    /// the system of the host, read-only.
    pub root: Vec<PathBuf>,
    /// Host directories shown at `workdir` as one read-only tree, lowest first; later ones win. With a `root` of its own there may be
    /// none: then the working directory is what the root has there.
    pub layers: Vec<PathBuf>,
    /// Where the copy-on-write view of `layers` appears, and where commands start. Absolute.
    pub workdir: String,
    /// Host directories shown read-only elsewhere: interpreter prefix, dependencies, test runner.
    pub mounts: Vec<Mount>,
    /// The whole environment of every command; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Limits of the sandbox and defaults for its commands.
    pub limits: Limits,
}

/// A host directory or file shown read-only at an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: String,
}

/// Upper bounds. All are mandatory; a backend says in [`crate::Backend::enforcement`] how it keeps them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Wall time of one command.
    pub wall: Duration,
    /// Memory of the sandbox, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads alive at once.
    pub processes: u64,
    /// Bytes kept of each of stdout, stderr and the report channel; the rest is read and thrown away.
    pub output_bytes: u64,
    /// Bytes that the sandbox may write to its file systems.
    pub disk_bytes: u64,
    /// Files, directories and links that the sandbox may make.
    pub files: u64,
    /// Processor time per second of wall time, in thousandths of one processor. `None` for what the machine has.
    pub millicpus: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(20),
            memory_bytes: 1 << 30,
            processes: 64,
            output_bytes: 1 << 20,
            disk_bytes: 64 << 20,
            files: 16 << 10,
            millicpus: None,
        }
    }
}

/// One command.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// Program and arguments; the program is looked up in the sandbox's `PATH`.
    pub argv: Vec<String>,
    /// Bytes for standard input; then it is closed.
    pub stdin: Vec<u8>,
    /// Added to the environment of the sandbox.
    pub env: BTreeMap<String, String>,
    /// Directory to start in; the working directory when `None`.
    pub cwd: Option<String>,
    /// Wall time; the limit of the sandbox when `None`, never more than it.
    pub wall: Option<Duration>,
    /// Opens file descriptor 3 as a channel to the host, whose bytes come back in [`crate::Output::report`].
    pub report: bool,
}

impl Command {
    /// A command from its program and arguments.
    pub fn new<I, S>(argv: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// One input for a shell that stays alive.
#[derive(Debug, Clone, Default)]
pub struct ShellLine {
    /// One or more lines of bash.
    pub text: String,
    /// Wall time; the limit of the sandbox when `None`, never more than it.
    pub wall: Option<Duration>,
}

impl ShellLine {
    /// A line with the wall time of the sandbox.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), wall: None }
    }
}
