//! A shell that stays alive from line to line, as the controller and as the box see it.
//!
//! It reads lines that end with NUL from one pipe, evaluates each of them in itself, and writes the status to another.
//! Both pipes are closed for what a line starts, and none of this shows in its output.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::pipe::PipeFlags;

use super::capture::{Ended, Ends};
use super::protocol::{BoxReply, BoxRequest};
use super::streams::{Feed, Stream};
use super::wire::{Wire, lost, unexpected};
use crate::{Captured, SandboxError, SandboxSpec};

/// Descriptors of the shell for lines and statuses.
const LOOP: &str = "builtin trap : INT; __basis_status=0; __basis_give() { builtin return \"$1\"; }; \
    while IFS= builtin read -r -d '' -u 3 __basis_line; do __basis_give \"$__basis_status\"; \
    builtin eval \"$__basis_line\" 3<&- 4>&-; __basis_status=$?; builtin printf '%d\\n' \"$__basis_status\" >&4; done";

/// The command that is the shell.
pub(super) fn argv() -> Vec<String> {
    ["bash", "--noprofile", "--norc", "-c", LOOP, "bash"].map(str::to_owned).into()
}

/// What a pipe of a shell holds while nobody reads it.
const CAPACITY: usize = 1 << 20;

/// The controller's ends of a living shell.
pub(super) struct Shell {
    lines: (OwnedFd, OwnedFd),
    outputs: [OwnedFd; 2],
    status: OwnedFd,
}

impl Shell {
    /// Starts a shell in a box.
    pub(super) fn open(wire: &Wire, spec: &SandboxSpec) -> Result<Self, SandboxError> {
        let failed = |error: rustix::io::Errno| SandboxError::system("make pipes for a shell", error);
        let make = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(failed);
        let [(out, stdout), (err, stderr), (status, said), (heard, lines)] = [make()?, make()?, make()?, make()?];
        for fd in [&out, &err, &status, &lines] {
            rustix::io::ioctl_fionbio(fd, true).map_err(failed)?;
        }
        for fd in [&out, &err] {
            // Without it, jobs that write much between two lines wait a little earlier.
            let _ = rustix::pipe::fcntl_setpipe_size(fd, CAPACITY);
        }
        let request = BoxRequest::OpenShell { env: spec.env.clone() };
        let inside = [&stdout, &stderr, &heard, &said].map(AsFd::as_fd);
        wire.send_with(&request, &inside).map_err(|error| lost(&error))?;
        match wire.answer()? {
            (BoxReply::ShellOpened, _) => Ok(Self { lines: (lines, heard), outputs: [out, err], status }),
            (BoxReply::Failed(failure), _) => Err(failure.into()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Hands a line, with its NUL, to the shell.
    pub(super) fn start(self, line: &[u8]) -> (Ends<'_>, Instant) {
        let Self { lines, outputs, status } = self;
        let mut streams = outputs.map(Stream::new);
        for stream in &mut streams {
            // What jobs wrote since the last line; one of them may never stop.
            for _ in 0..(2 * CAPACITY) >> 16 {
                if !stream.pull(0, |_| ()) {
                    break;
                }
            }
            stream.captured = Captured::default();
        }
        let [stdout, stderr] = streams;
        let start = Instant::now();
        let ends =
            Ends { stdin: Feed::part(lines, line), streams: [stdout, stderr, Stream::none()], status: Some(status) };
        (ends, start)
    }

    /// The shell again, if it lives on after a line.
    pub(super) fn after(ended: Ended<'_>) -> (crate::Output, bool, Option<Self>) {
        let Ended { output, reported, shell_lives, ends } = ended;
        let [stdout, stderr, _] = ends.streams.map(|stream| stream.pipe);
        let shell = match (ends.stdin.into_pipe(), stdout, stderr, ends.status) {
            (Some(lines), Some(stdout), Some(stderr), Some(status)) if shell_lives => {
                Some(Self { lines, outputs: [stdout, stderr], status })
            }
            _ => None,
        };
        (output, reported, shell)
    }
}
