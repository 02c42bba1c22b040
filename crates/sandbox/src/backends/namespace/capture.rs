//! Runs one command in a box from the controller's side: feeds it, keeps the head of what it writes, ends it in time.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::protocol::{BoxReply, BoxRequest, Channel};
use super::sandbox::{lost, receive, unexpected};
use super::streams::{Feed, Pipes, Stream};
use crate::{Command, Outcome, Output, Refused, SandboxError, SandboxSpec};

/// How long output is read after the end of a command while something that it left behind holds the pipes open.
const GRACE: Duration = Duration::from_millis(100);
/// How long a box may take to report the end of a command that it was told to kill.
const DEATH: Duration = Duration::from_secs(10);
/// Longer wall limits mean this one; far beyond any use, short enough for arithmetic on time.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// A command that writes this many times what is kept is killed.
const FLOOD: u64 = 64;

/// Runs `command` to its end. After an error the box may still answer, so that it is of no more use.
pub(super) fn run(
    channel: &Channel,
    spec: &SandboxSpec,
    command: &Command,
    pipes: Pipes,
) -> Result<Ended, SandboxError> {
    let mut run = Run::start(channel, spec, command, pipes)?;
    run.follow()?;
    let reported = run.end.is_some();
    Ok(Ended { output: run.output(), reported })
}

/// What became of a command.
pub(super) struct Ended {
    pub(super) output: Output,
    /// Whether the box said so; if not, it did not manage to in time after it was asked to kill the command.
    pub(super) reported: bool,
}

struct Run<'a> {
    channel: &'a Channel,
    start: Instant,
    /// When the command is killed; when it was killed, once it was.
    deadline: Instant,
    /// Reads at most this many bytes of each stream, then kills.
    flood: u64,
    keep: u64,
    stdin: Feed<'a>,
    /// Standard output, standard error and the report channel.
    streams: [Stream; 3],
    timed_out: bool,
    killed: bool,
    end: Option<End>,
}

/// The end of a command as the box reported it.
struct End {
    outcome: Outcome,
    at: Instant,
}

impl<'a> Run<'a> {
    fn start(
        channel: &'a Channel,
        spec: &SandboxSpec,
        command: &'a Command,
        pipes: Pipes,
    ) -> Result<Self, SandboxError> {
        let mut env: BTreeMap<String, String> = spec.env.clone();
        env.extend(command.env.clone());
        let request = BoxRequest::Execute { argv: command.argv.clone(), env, cwd: command.cwd.clone() };
        let Pipes { input, outputs, inside } = pipes;
        let count = if command.report { 4 } else { 3 };
        let start = Instant::now();
        channel.send(&request, &inside.each_ref().map(|fd| fd.as_fd())[..count]).map_err(|error| lost(&error))?;
        let [stdin, ..] = inside;
        let wall = command.wall.unwrap_or(spec.limits.wall).min(spec.limits.wall).min(LONGEST);
        let keep = spec.limits.output_bytes;
        Ok(Self {
            channel,
            start,
            deadline: start + wall,
            flood: keep.saturating_mul(FLOOD),
            keep,
            stdin: Feed::new(input, stdin, &command.stdin),
            streams: outputs.map(Stream::new),
            timed_out: false,
            killed: false,
            end: None,
        })
    }

    fn follow(&mut self) -> Result<(), SandboxError> {
        while !self.finished() {
            if self.wait()? {
                self.hear()?;
            }
            self.stdin.push();
            for stream in &mut self.streams {
                stream.pull(self.keep);
            }
            if self.end.is_none() {
                self.enforce()?;
            }
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        let closed = self.streams.iter().all(|stream| stream.pipe.is_none());
        match &self.end {
            Some(end) => closed || end.at.elapsed() >= GRACE,
            None => self.killed && self.deadline.elapsed() >= DEATH,
        }
    }

    fn next_deadline(&self) -> Instant {
        match &self.end {
            Some(end) => end.at + GRACE,
            None if self.killed => self.deadline + DEATH,
            None => self.deadline,
        }
    }

    /// Waits until something happens or the next deadline; whether the box has something to say.
    fn wait(&self) -> Result<bool, SandboxError> {
        let mut watched = Vec::with_capacity(5);
        if self.end.is_none() {
            watched.push(PollFd::from_borrowed_fd(self.channel.as_fd(), PollFlags::IN));
        }
        watched.extend(self.stdin.pipe().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::OUT)));
        let open = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        watched.extend(open.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let left = self.next_deadline().saturating_duration_since(Instant::now());
        let timeout = left.try_into().expect("wall limits are capped");
        match rustix::event::poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(SandboxError::system("wait for a command", error)),
        }
        Ok(self.end.is_none() && !watched[0].revents().is_empty())
    }

    fn hear(&mut self) -> Result<(), SandboxError> {
        match receive(self.channel)? {
            (BoxReply::Exited { status, out_of_memory }, _) => {
                let outcome = self.outcome(status, out_of_memory);
                self.end = Some(End { outcome, at: Instant::now() });
                self.stdin.close();
                Ok(())
            }
            (BoxReply::Failed(failure), _) => Err(failure.into()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    fn outcome(&self, status: i32, out_of_memory: bool) -> Outcome {
        if self.timed_out {
            Outcome::TimedOut
        } else if self.killed {
            Outcome::TooMuchOutput
        } else if out_of_memory {
            Outcome::OutOfMemory
        } else if libc::WIFSIGNALED(status) {
            Outcome::Signalled(libc::WTERMSIG(status))
        } else {
            Outcome::Exited(libc::WEXITSTATUS(status))
        }
    }

    /// Kills the command when it is out of time or floods its output.
    fn enforce(&mut self) -> Result<(), SandboxError> {
        if self.killed {
            return Ok(());
        }
        let now = Instant::now();
        self.timed_out = now >= self.deadline;
        if self.timed_out || self.streams.iter().any(|stream| stream.captured.total > self.flood) {
            self.killed = true;
            self.deadline = now;
            self.channel.send(&BoxRequest::Kill, &[]).map_err(|error| lost(&error))?;
        }
        Ok(())
    }

    fn output(self) -> Output {
        let killed = if self.timed_out { Outcome::TimedOut } else { Outcome::TooMuchOutput };
        let (outcome, at) = self.end.map_or((killed, Instant::now()), |end| (end.outcome, end.at));
        let [stdout, stderr, report] = self.streams.map(|stream| stream.captured);
        Output { outcome, stdout, stderr, report, refused: Refused::default(), duration: at - self.start }
    }
}
