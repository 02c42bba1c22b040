//! Runs one command in a box from the controller's side: feeds it, keeps the head of what it writes, ends it in time.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use super::protocol::{BoxReply, BoxRequest, Channel};
use super::sandbox::{lost, receive, unexpected};
use crate::{Captured, Command, Outcome, Output, SandboxError, SandboxSpec};

/// How long output is read after the end of a command while something that it left behind holds the pipes open.
const GRACE: Duration = Duration::from_millis(100);
/// How long a killed command may take to be reported as ended.
const DEATH: Duration = Duration::from_secs(20);
/// A command that writes this many times what is kept is killed.
const FLOOD: u64 = 64;

/// Runs `command` to its end.
pub(super) fn run(channel: &Channel, spec: &SandboxSpec, command: &Command) -> Result<Output, SandboxError> {
    let mut run = Run::start(channel, spec, command)?;
    run.follow()?;
    Ok(run.output())
}

struct Run<'a> {
    channel: &'a Channel,
    start: Instant,
    end: Instant,
    /// Reads at most this many bytes of each stream, then kills.
    flood: u64,
    keep: u64,
    stdin: Feed<'a>,
    /// Standard output, standard error and the report channel.
    streams: [Stream; 3],
    timed_out: bool,
    killed: bool,
    /// Wait status, and the time it came.
    status: Option<(i32, Instant)>,
}

impl<'a> Run<'a> {
    fn start(channel: &'a Channel, spec: &SandboxSpec, command: &'a Command) -> Result<Self, SandboxError> {
        let (stdin, input) = pipe()?;
        let (out, stdout) = pipe()?;
        let (err, stderr) = pipe()?;
        let (report, reported) = pipe()?;
        for fd in [&input, &out, &err, &report] {
            rustix::io::ioctl_fionbio(fd, true).map_err(|error| SandboxError::system("prepare a pipe", error))?;
        }
        let mut env: BTreeMap<String, String> = spec.env.clone();
        env.extend(command.env.clone());
        let request = BoxRequest::Execute { argv: command.argv.clone(), env, cwd: command.cwd.clone() };
        let descriptors = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd(), reported.as_fd()];
        let count = if command.report { 4 } else { 3 };
        let start = Instant::now();
        channel.send(&request, &descriptors[..count]).map_err(|error| lost(&error))?;
        let wall = command.wall.unwrap_or(spec.limits.wall).min(spec.limits.wall);
        let keep = spec.limits.output_bytes;
        Ok(Self {
            channel,
            start,
            end: start + wall,
            flood: keep.saturating_mul(FLOOD),
            keep,
            stdin: Feed::new(input, stdin, &command.stdin),
            streams: [out, err, report].map(Stream::new),
            timed_out: false,
            killed: false,
            status: None,
        })
    }

    fn follow(&mut self) -> Result<(), SandboxError> {
        while !self.finished() {
            let deadline = self.deadline();
            let ready = self.wait(deadline)?;
            if ready.channel {
                self.hear()?;
            }
            self.stdin.push();
            for stream in &mut self.streams {
                stream.pull(self.keep);
            }
            if self.status.is_none() {
                self.enforce()?;
            }
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        let closed = self.streams.iter().all(|stream| stream.pipe.is_none());
        self.status.is_some_and(|(_, ended)| closed || ended.elapsed() >= GRACE)
    }

    fn deadline(&self) -> Instant {
        match self.status {
            Some((_, ended)) => ended + GRACE,
            None if self.killed => self.end + DEATH,
            None => self.end,
        }
    }

    /// Waits for anything to happen until `deadline`.
    fn wait(&self, deadline: Instant) -> Result<Ready, SandboxError> {
        let mut watched = Vec::with_capacity(5);
        if self.status.is_none() {
            watched.push(PollFd::from_borrowed_fd(self.channel.as_fd(), PollFlags::IN));
        }
        watched.extend(self.stdin.pipe().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::OUT)));
        let open = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        watched.extend(open.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = left.try_into().map_err(|_| SandboxError::Lost("the wall limit is too long".into()))?;
        match rustix::event::poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(SandboxError::system("wait for a command", error)),
        }
        Ok(Ready { channel: self.status.is_none() && !watched[0].revents().is_empty() })
    }

    fn hear(&mut self) -> Result<(), SandboxError> {
        match receive(self.channel)? {
            (BoxReply::Exited(status), _) => {
                self.status = Some((status, Instant::now()));
                self.stdin.close();
                Ok(())
            }
            (BoxReply::Failed(failure), _) => Err(failure.into()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Kills the command when it is out of time or floods its output.
    fn enforce(&mut self) -> Result<(), SandboxError> {
        let now = Instant::now();
        if self.killed {
            return if now < self.end + DEATH {
                Ok(())
            } else {
                Err(SandboxError::Lost("a killed command did not die".into()))
            };
        }
        let flooded = self.streams.iter().any(|stream| stream.captured.total > self.flood);
        self.timed_out = now >= self.end;
        if self.timed_out || flooded {
            self.killed = true;
            self.end = now;
            self.channel.send(&BoxRequest::Kill, &[]).map_err(|error| lost(&error))?;
        }
        Ok(())
    }

    fn output(self) -> Output {
        let (status, ended) = self.status.expect("followed to its end");
        let outcome = match (libc::WIFSIGNALED(status), self.timed_out) {
            (_, true) => Outcome::TimedOut,
            (true, _) => Outcome::Signalled(libc::WTERMSIG(status)),
            (false, _) => Outcome::Exited(libc::WEXITSTATUS(status)),
        };
        let [stdout, stderr, report] = self.streams.map(|stream| stream.captured);
        Output { outcome, stdout, stderr, report, duration: ended - self.start }
    }
}

struct Ready {
    channel: bool,
}

/// Standard input of a command.
struct Feed<'a> {
    /// The writing end, and the reading end: as long as we hold it, writing cannot raise a signal in the controller.
    pipe: Option<(OwnedFd, OwnedFd)>,
    left: &'a [u8],
}

impl<'a> Feed<'a> {
    fn new(write: OwnedFd, read: OwnedFd, bytes: &'a [u8]) -> Self {
        let mut feed = Self { pipe: Some((write, read)), left: bytes };
        feed.push();
        feed
    }

    fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|(write, _)| write.as_fd())
    }

    fn push(&mut self) {
        while let Some((write, _)) = &self.pipe {
            if self.left.is_empty() {
                self.close();
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

    fn close(&mut self) {
        self.pipe = None;
    }
}

/// One output stream of a command.
struct Stream {
    pipe: Option<OwnedFd>,
    captured: Captured,
}

impl Stream {
    fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Some(pipe), captured: Captured::default() }
    }

    /// Takes what is there now, but no more than a pipe holds, so that deadlines are looked at.
    fn pull(&mut self, keep: u64) {
        let mut buffer = [0; 1 << 16];
        let Some(pipe) = &self.pipe else { return };
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let room = keep.saturating_sub(self.captured.bytes.len() as u64);
                self.captured.bytes.extend_from_slice(&buffer[..count.min(room as usize)]);
                self.captured.total += count as u64;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.pipe = None,
        }
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| SandboxError::system("make a pipe", error))
}
