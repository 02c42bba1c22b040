//! Follows one command in a box from the controller's side: feeds it, keeps the head of what it writes, ends it in time.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::protocol::{BoxReply, BoxRequest};
use super::streams::{Feed, Stream};
use super::wire::{Wire, lost, unexpected};
use crate::{Outcome, Output, Refused, SandboxError, SandboxSpec, Sink};

/// How long output is read after the end of a command while something that it left behind holds the pipes open.
const GRACE: Duration = Duration::from_millis(100);
/// How long a box may take to report the end of a command that it was told to kill.
const DEATH: Duration = Duration::from_secs(10);
/// How long an interrupted command may take to end by itself, and how often it is told meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);
const REMINDER: Duration = Duration::from_millis(100);
/// Longer wall limits mean this one; far beyond any use, short enough for arithmetic on time.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// A command that writes this many times what is kept is killed.
const FLOOD: u64 = 64;
/// How often the file system is asked whether it is full.
const SAMPLE: Duration = Duration::from_millis(20);

/// What a command runs in.
pub(super) struct Surroundings<'a> {
    pub(super) wire: &'a Wire,
    pub(super) spec: &'a SandboxSpec,
    /// The tmpfs of the box.
    pub(super) stage: &'a OwnedFd,
    /// Becomes readable when somebody wants the command to end.
    pub(super) interrupt: Option<&'a OwnedFd>,
    pub(super) sink: Sink<'a>,
}

/// The controller's ends of a command that was just started.
pub(super) struct Ends<'a> {
    pub(super) stdin: Feed<'a>,
    /// Standard output, standard error and the report channel.
    pub(super) streams: [Stream; 3],
    /// Where a shell says that a line is done; the end of a command is told by the box.
    pub(super) status: Option<OwnedFd>,
}

/// What became of a command.
pub(super) struct Ended<'a> {
    pub(super) output: Output,
    /// Whether its end was told; if not, the box did not manage to in time after it was asked to kill the command.
    pub(super) reported: bool,
    /// Whether the shell that ran the line lives on.
    pub(super) shell_lives: bool,
    pub(super) ends: Ends<'a>,
}

/// Follows a command, started at `start`, to its end. After an error the box may still answer, so it is of no more use.
pub(super) fn follow<'a>(
    mut around: Surroundings<'_>,
    ends: Ends<'a>,
    start: Instant,
    wall: Option<Duration>,
) -> Result<Ended<'a>, SandboxError> {
    let limits = &around.spec.limits;
    let wall = wall.unwrap_or(limits.wall).min(limits.wall).min(LONGEST);
    let mut run = Run {
        ends,
        start,
        deadline: start + wall,
        flood: limits.output_bytes.saturating_mul(FLOOD),
        keep: limits.output_bytes,
        stop: None,
        interrupted: None,
        sampled: start,
        refused: Refused::default(),
        end: None,
    };
    run.follow(&mut around)?;
    Ok(run.ended())
}

struct Run<'a> {
    ends: Ends<'a>,
    start: Instant,
    /// When the command is killed; when it was killed, once it was.
    deadline: Instant,
    /// Reads at most this many bytes of each stream, then kills.
    flood: u64,
    keep: u64,
    /// Why it was killed.
    stop: Option<Outcome>,
    /// When it was first interrupted, and when last.
    interrupted: Option<(Instant, Instant)>,
    sampled: Instant,
    refused: Refused,
    end: Option<End>,
}

/// The end of a command as it was told.
struct End {
    outcome: Outcome,
    at: Instant,
    /// Told by the shell, which lives on.
    by_shell: bool,
}

/// What happened while waiting.
struct Heard {
    answer: bool,
    status: bool,
    interrupt: bool,
}

impl<'a> Run<'a> {
    fn follow(&mut self, around: &mut Surroundings<'_>) -> Result<(), SandboxError> {
        while !self.finished() {
            let heard = self.wait(around)?;
            if heard.status {
                self.hear_shell();
            }
            if heard.answer && self.end.is_none() {
                self.hear(around.wire)?;
            }
            self.ends.stdin.push();
            self.pull(around);
            if self.end.is_none() {
                self.enforce(around, heard.interrupt)?;
            }
        }
        self.sample(around.stage);
        Ok(())
    }

    fn pull(&mut self, around: &mut Surroundings<'_>) {
        let kinds = [Some(crate::Stream::Stdout), Some(crate::Stream::Stderr), None];
        for (stream, kind) in self.ends.streams.iter_mut().zip(kinds) {
            // What was written before the line ended is in the pipes already.
            let last = self.end.as_ref().is_some_and(|end| end.by_shell);
            while stream.pull(self.keep, |bytes| {
                if let Some(kind) = kind {
                    (around.sink)(kind, bytes);
                }
            }) && last
                && stream.captured.total <= self.flood
            {}
        }
    }

    fn finished(&self) -> bool {
        let closed = self.ends.streams.iter().all(|stream| stream.pipe.is_none());
        match &self.end {
            Some(end) => end.by_shell || closed || end.at.elapsed() >= GRACE,
            None => self.stop.is_some() && self.deadline.elapsed() >= DEATH,
        }
    }

    fn next_deadline(&self) -> Instant {
        match &self.end {
            Some(end) => end.at + GRACE,
            None if self.stop.is_some() => self.deadline + DEATH,
            None => {
                let reminder = self.interrupted.map(|(_, last)| last + REMINDER);
                let sample = Instant::now() + SAMPLE;
                self.deadline.min(sample).min(reminder.unwrap_or(self.deadline))
            }
        }
    }

    /// Waits until something happens or the next deadline.
    fn wait(&self, around: &Surroundings<'_>) -> Result<Heard, SandboxError> {
        let mut watched = Vec::with_capacity(7);
        let running = self.end.is_none();
        let interrupt = around.interrupt.filter(|_| running && self.interrupted.is_none());
        let status = self.ends.status.as_ref().filter(|_| running);
        if running {
            watched.push(PollFd::from_borrowed_fd(around.wire.as_fd(), PollFlags::IN));
        }
        watched.extend(status.map(|fd| PollFd::new(fd, PollFlags::IN)));
        watched.extend(interrupt.map(|fd| PollFd::new(fd, PollFlags::IN)));
        watched.extend(self.ends.stdin.waiting().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::OUT)));
        let open = self.ends.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        watched.extend(open.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let left = self.next_deadline().saturating_duration_since(Instant::now());
        let timeout = left.try_into().expect("wall limits are capped");
        match rustix::event::poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(SandboxError::system("wait for a command", error)),
        }
        let mut events = watched.iter().map(|fd| !fd.revents().is_empty());
        let mut next = |watched: bool| watched && events.next() == Some(true);
        Ok(Heard { answer: next(running), status: next(status.is_some()), interrupt: next(interrupt.is_some()) })
    }

    /// Reads the status of a line, or nothing when the shell has gone; then the box says so.
    fn hear_shell(&mut self) {
        let Some(pipe) = &self.ends.status else { return };
        let mut text = [0; 64];
        match rustix::io::read(pipe, &mut text) {
            Ok(0) => self.ends.status = None,
            Ok(count) => {
                let status = std::str::from_utf8(&text[..count]).ok().and_then(|text| text.trim().parse().ok());
                // Whatever else is written there comes from code that has broken its own shell.
                let outcome =
                    self.stop.unwrap_or_else(|| self.unless_interrupted(Outcome::Exited(status.unwrap_or(1))));
                self.end = Some(End { outcome, at: Instant::now(), by_shell: true });
            }
            Err(_) => {}
        }
    }

    fn hear(&mut self, wire: &Wire) -> Result<(), SandboxError> {
        let shell = self.ends.streams[2].pipe.is_none() && self.ends.stdin.stays_open();
        match wire.next()? {
            (BoxReply::Exited { status, out_of_memory, crowded }, _) if !shell => {
                self.refused.processes |= crowded;
                self.told(status, out_of_memory);
                self.ends.stdin.close();
            }
            (BoxReply::ShellEnded { status, out_of_memory }, _) if shell => self.told(status, out_of_memory),
            (BoxReply::ShellEnded { .. }, _) => wire.note_end_of_shell(),
            (BoxReply::Failed(failure), _) => return Err(failure.into()),
            (other, _) => return Err(unexpected(&other)),
        }
        Ok(())
    }

    fn told(&mut self, status: i32, out_of_memory: bool) {
        let ended = if out_of_memory {
            Outcome::OutOfMemory
        } else if libc::WIFSIGNALED(status) {
            self.unless_interrupted(Outcome::Signalled(libc::WTERMSIG(status)))
        } else {
            self.unless_interrupted(Outcome::Exited(libc::WEXITSTATUS(status)))
        };
        self.end = Some(End { outcome: self.stop.unwrap_or(ended), at: Instant::now(), by_shell: false });
    }

    fn unless_interrupted(&self, outcome: Outcome) -> Outcome {
        if self.interrupted.is_some() { Outcome::Interrupted } else { outcome }
    }

    /// Kills the command when it is out of time, floods its output, or does not heed an interruption.
    fn enforce(&mut self, around: &Surroundings<'_>, interrupt: bool) -> Result<(), SandboxError> {
        if self.stop.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        if now.duration_since(self.sampled) >= SAMPLE {
            self.sampled = now;
            self.sample(around.stage);
        }
        let flooded = self.ends.streams.iter().any(|stream| stream.captured.total > self.flood);
        let ignored = self.interrupted.is_some_and(|(first, _)| now - first >= PATIENCE);
        self.stop = if now >= self.deadline {
            Some(Outcome::TimedOut)
        } else if flooded {
            Some(Outcome::TooMuchOutput)
        } else {
            ignored.then_some(Outcome::Interrupted)
        };
        let send = |request| around.wire.send(&request).map_err(|error| lost(&error));
        if self.stop.is_some() {
            self.deadline = now;
            return send(BoxRequest::Kill);
        }
        let again = self.interrupted.is_some_and(|(_, last)| now - last >= REMINDER);
        if interrupt || again {
            let first = self.interrupted.map_or(now, |(first, _)| first);
            self.interrupted = Some((first, now));
            return send(BoxRequest::Interrupt { shell: self.ends.stdin.stays_open() });
        }
        Ok(())
    }

    fn sample(&mut self, stage: &OwnedFd) {
        let full = rustix::fs::fstatvfs(stage).is_ok_and(|data| data.f_bfree == 0 || data.f_ffree == 0);
        self.refused.disk |= full;
    }

    fn ended(mut self) -> Ended<'a> {
        let stopped = self.stop.unwrap_or(Outcome::TimedOut);
        let (outcome, at) = self.end.as_ref().map_or((stopped, Instant::now()), |end| (end.outcome, end.at));
        let [stdout, stderr, report] = self.ends.streams.each_mut().map(|stream| std::mem::take(&mut stream.captured));
        let output = Output { outcome, stdout, stderr, report, refused: self.refused, duration: at - self.start };
        let shell_lives = self.end.as_ref().is_some_and(|end| end.by_shell) && self.stop.is_none();
        Ended { output, reported: self.end.is_some(), shell_lives, ends: self.ends }
    }
}
