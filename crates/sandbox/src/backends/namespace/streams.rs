//! The pipes between a command and the controller. None of them ever blocks the controller.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use crate::{Captured, SandboxError};

/// All pipes of one command.
pub(super) struct Pipes {
    /// The writing end of standard input.
    pub(super) input: OwnedFd,
    /// The reading ends of standard output, standard error and the report channel.
    pub(super) outputs: [OwnedFd; 3],
    /// The other ends, in the order of their numbers in the command.
    pub(super) inside: [OwnedFd; 4],
}

impl Pipes {
    pub(super) fn new() -> Result<Self, SandboxError> {
        let make = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        let pipes = || {
            let (stdin, input) = make()?;
            let [(out, stdout), (err, stderr), (report, reported)] = [make()?, make()?, make()?];
            for fd in [&input, &out, &err, &report] {
                rustix::io::ioctl_fionbio(fd, true)?;
            }
            Ok(Self { input, outputs: [out, err, report], inside: [stdin, stdout, stderr, reported] })
        };
        pipes().map_err(|error: Errno| SandboxError::system("make pipes for a command", error))
    }
}

/// Standard input of a command.
pub(super) struct Feed<'a> {
    /// The writing end, and the reading end: as long as we hold it, writing cannot raise a signal in the controller.
    pipe: Option<(OwnedFd, OwnedFd)>,
    left: &'a [u8],
    /// Whether more will follow when this is written.
    stays_open: bool,
}

impl<'a> Feed<'a> {
    pub(super) fn new(write: OwnedFd, read: OwnedFd, bytes: &'a [u8]) -> Self {
        let mut feed = Self { pipe: Some((write, read)), left: bytes, stays_open: false };
        feed.push();
        feed
    }

    /// A feed that keeps its pipe for the next one.
    pub(super) fn part(pipe: (OwnedFd, OwnedFd), bytes: &'a [u8]) -> Self {
        let mut feed = Self { pipe: Some(pipe), left: bytes, stays_open: true };
        feed.push();
        feed
    }

    /// A feed without a pipe.
    pub(super) fn nothing() -> Self {
        Self { pipe: None, left: &[], stays_open: false }
    }

    pub(super) fn stays_open(&self) -> bool {
        self.stays_open
    }

    /// The pipe, when there is something left to write.
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.left.is_empty()).map(|(write, _)| write.as_fd())
    }

    pub(super) fn into_pipe(self) -> Option<(OwnedFd, OwnedFd)> {
        self.pipe
    }

    pub(super) fn push(&mut self) {
        while let Some((write, _)) = &self.pipe {
            if self.left.is_empty() {
                if !self.stays_open {
                    self.close();
                }
                break;
            }
            match rustix::io::write(write, self.left) {
                Ok(count) => self.left = &self.left[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.close(),
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.pipe = None;
    }
}

/// One output stream of a command.
pub(super) struct Stream {
    pub(super) pipe: Option<OwnedFd>,
    pub(super) captured: Captured,
}

impl Stream {
    pub(super) fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Some(pipe), captured: Captured::default() }
    }

    /// A stream that is closed from the start.
    pub(super) fn none() -> Self {
        Self { pipe: None, captured: Captured::default() }
    }

    /// Takes what is there now, but no more than a pipe holds, so that deadlines are looked at, and shows it to `sink`;
    /// whether there was anything.
    pub(super) fn pull(&mut self, keep: u64, sink: impl FnOnce(&[u8])) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1 << 16];
        let Some(pipe) = &self.pipe else { return false };
        match rustix::io::read(pipe, &mut buffer) {
            Ok(([], _)) => self.pipe = None,
            Ok((bytes, _)) => {
                sink(bytes);
                let room = keep.saturating_sub(self.captured.bytes.len() as u64);
                self.captured.bytes.extend_from_slice(&bytes[..bytes.len().min(room as usize)]);
                self.captured.total += bytes.len() as u64;
                return true;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.pipe = None,
        }
        false
    }
}
