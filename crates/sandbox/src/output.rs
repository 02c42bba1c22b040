//! What came out of a command, and what changed on disk.

use std::time::Duration;

/// The result of one command.
#[derive(Debug, Clone)]
pub struct Output {
    /// How the command ended.
    pub outcome: Outcome,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// What was written to file descriptor 3; empty unless [`crate::Command::report`] was set.
    pub report: Captured,
    /// What the sandbox was refused for want of room while the command ran, or since the one before it ended.
    pub refused: Refused,
    /// Wall time from start to end.
    pub duration: Duration,
}

/// Limits that show as an error inside rather than as the end of a command.
///
/// Where the kernel does not count refusals, they are seen by sampling, and a short one may be missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// There was no room for bytes or for another file.
    pub disk: bool,
    /// Another process or thread was one too many.
    pub processes: bool,
}

/// The result of one line in a shell that stays alive.
#[derive(Debug, Clone)]
pub struct ShellOutput {
    /// What came out of the line; its outcome is the status of the last command, or of the shell if that ended.
    pub output: Output,
    /// Whether the line ran in a new shell, which knows nothing of earlier lines.
    pub fresh: bool,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Killed at its wall-time limit.
    TimedOut,
    /// Killed because the sandbox reached its memory limit.
    OutOfMemory,
    /// Ended through an [`crate::Interrupter`].
    Interrupted,
    /// Killed because it wrote many times more than is kept.
    TooMuchOutput,
}

impl Outcome {
    /// Whether the command exited with status 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// The kept head of a byte stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes, up to the limit.
    pub bytes: Vec<u8>,
    /// How many bytes came in all.
    pub total: u64,
}

impl Captured {
    /// Whether bytes were thrown away.
    pub fn truncated(&self) -> bool {
        self.total > self.bytes.len() as u64
    }

    /// The kept bytes as text; invalid UTF-8 becomes the replacement character.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A digest of what stands in a sandbox between two commands. Two that are equal are of the same sandbox with the same files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing(pub(crate) [u8; 32]);

/// One difference between the layers and the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Path relative to the working directory, `/` between components.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// A regular file is new, or has other bytes or another mode.
    File {
        /// What about it is new.
        edit: FileEdit,
        /// Length in bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A directory of the layers has another mode. New directories show in what is in them.
    Directory {
        /// Permission bits.
        mode: u32,
    },
    /// The file or the whole directory is gone.
    Deleted,
    /// A symbolic link is new or changed. Its target is never followed.
    Link {
        /// Where it points; bytes that are not UTF-8 are replaced.
        target: String,
    },
    /// Something that cannot be handed in: device, fifo, socket, a name that is not UTF-8, or too deep a directory.
    Special,
}

/// What about a regular file is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEdit {
    /// There was no regular file here.
    Added,
    /// Its bytes, and perhaps its mode.
    Content,
    /// Its mode alone.
    Mode,
}
