//! The connection to a box, on which the end of its shell may be told between any two answers.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::protocol::{BoxReply, BoxRequest, Channel};
use crate::SandboxError;

type Answer = (BoxReply, Vec<OwnedFd>);

/// The controller's end of the channel to one box.
pub(super) struct Wire {
    channel: Channel,
    shell_ended: Cell<bool>,
}

impl Wire {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, shell_ended: Cell::new(false) }
    }

    pub(super) fn send(&self, request: &BoxRequest) -> io::Result<()> {
        self.channel.send(request, &[])
    }

    pub(super) fn send_with(&self, request: &BoxRequest, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.channel.send(request, descriptors)
    }

    pub(super) fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.channel.send_bytes(bytes)
    }

    /// The next answer, whatever it is about.
    pub(super) fn next(&self) -> Result<Answer, SandboxError> {
        match self.channel.receive() {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(SandboxError::Lost("it ended".into())),
            Err(error) => Err(lost(&error)),
        }
    }

    /// The next answer to something that was asked.
    pub(super) fn answer(&self) -> Result<Answer, SandboxError> {
        loop {
            match self.next()? {
                (BoxReply::ShellEnded { .. }, _) => self.note_end_of_shell(),
                answer => return Ok(answer),
            }
        }
    }

    /// Remembers that the shell ended while nobody waited for it.
    pub(super) fn note_end_of_shell(&self) {
        self.shell_ended.set(true);
    }

    /// Whether the shell ended since this was last asked; nothing else may be outstanding.
    pub(super) fn shell_ended(&self) -> Result<bool, SandboxError> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            let mut watched = [PollFd::new(&self.channel, PollFlags::IN)];
            if !rustix::event::poll(&mut watched, Some(&at_once)).is_ok_and(|ready| ready > 0) {
                return Ok(self.shell_ended.take());
            }
            match self.next()? {
                (BoxReply::ShellEnded { .. }, _) => self.note_end_of_shell(),
                (other, _) => return Err(unexpected(&other)),
            }
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

/// The connection to a box failed.
pub(super) fn lost(error: &io::Error) -> SandboxError {
    SandboxError::Lost(format!("the connection broke: {error}"))
}

/// A box said something that was not asked for.
pub(super) fn unexpected(reply: &BoxReply) -> SandboxError {
    SandboxError::Lost(format!("it answered {reply:?} out of turn"))
}
