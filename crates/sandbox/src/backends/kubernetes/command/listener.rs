//! Hears a command to its end, and ends it when it is late, floods, or is interrupted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::cause;
use super::super::connection::Connection;
use super::super::script;
use super::super::stream::{Event, Events, Input};
use super::heard::Heard;
use super::{KILL_ALL, by_status};
use crate::{Captured, Outcome, Refused, SandboxError, SandboxSpec, Sink, Stream};

/// How many times the kept output a command may write before it is killed.
const FLOOD: u64 = 64;
/// How long a command may take to end that was killed, and one that was interrupted.
const DEATH: Duration = Duration::from_secs(5);
const COURTESY: Duration = Duration::from_secs(1);

/// What came of a command, but for its report.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    pub(super) refused: Refused,
}

/// What is done to end a command, one thing after the other.
enum Step {
    /// As Ctrl-C does.
    Interrupt,
    /// Its session is killed by the shell around it.
    Kill,
    /// Everything in the container is killed.
    KillAll,
}

/// Everything about a command that runs.
pub(super) struct Listener<'a> {
    connection: &'a Connection,
    mark: String,
    stdout: Heard,
    stderr: Heard,
    flood: u64,
    /// When the next step is taken if the command is still not over.
    next: Instant,
    steps: VecDeque<Step>,
    /// Why it is being ended.
    why: Option<Outcome>,
    sink: Sink<'a>,
    interrupts: watch::Receiver<u64>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        spec: &SandboxSpec,
        (token, mark): (&str, String),
        deadline: Instant,
        sink: Sink<'a>,
        interrupts: watch::Receiver<u64>,
    ) -> Self {
        let keep = spec.limits.output_bytes;
        Self {
            connection,
            mark,
            stdout: Heard::new(token, keep, false),
            stderr: Heard::new(token, keep, true),
            flood: keep.saturating_mul(FLOOD),
            next: deadline,
            steps: VecDeque::from([Step::Kill, Step::KillAll, Step::KillAll]),
            why: None,
            sink,
            interrupts,
        }
    }

    /// Feeds and hears the command until it is over.
    pub(super) async fn listen(
        &mut self,
        mut input: Input,
        mut events: Events,
        stdin: &[u8],
    ) -> Result<Ended, SandboxError> {
        let fed = input.feed(stdin);
        tokio::pin!(fed);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = &mut fed => continue,
                () = tokio::time::sleep_until(self.next.into()) => {
                    self.end(Outcome::TimedOut)?;
                    continue;
                }
                // Whoever could interrupt may be gone; then nobody does.
                Ok(()) = self.interrupts.changed(), if self.why.is_none() => {
                    self.steps.push_front(Step::Interrupt);
                    self.end(Outcome::Interrupted)?;
                    continue;
                }
            };
            match event {
                Event::Stdout(bytes) => self.stdout.push(&bytes, |piece| (self.sink)(Stream::Stdout, piece)),
                Event::Stderr(bytes) => self.stderr.push(&bytes, |piece| (self.sink)(Stream::Stderr, piece)),
                last => return self.without_farewell(last).await,
            }
            if self.stdout.is_complete() && self.stderr.is_complete() {
                return Ok(self.result(None));
            }
            if self.why.is_none() && self.stdout.total().max(self.stderr.total()) > self.flood {
                self.end(Outcome::TooMuchOutput)?;
            }
        }
    }

    /// Takes the next step to end the command.
    fn end(&mut self, why: Outcome) -> Result<(), SandboxError> {
        self.why = self.why.or(Some(why));
        let step = self.steps.pop_front().ok_or_else(|| SandboxError::Lost("its processes did not die".into()))?;
        self.next = Instant::now() + if matches!(step, Step::Interrupt) { COURTESY } else { DEATH };
        let (one, other) = self.mark.split_at(self.mark.len() / 2);
        let text = match step {
            Step::Interrupt => script::with_words([one, other, "USR1"], script::END),
            Step::Kill => script::with_words([one, other, "TERM"], script::END),
            Step::KillAll => KILL_ALL.to_owned(),
        };
        let connection = self.connection.clone();
        // Whether it worked shows in what the command does.
        tokio::spawn(async move { connection.in_agent(&text).await });
        Ok(())
    }

    /// The shell of the command ended without its last word: it was killed, or all of the container was.
    async fn without_farewell(&mut self, last: Event) -> Result<Ended, SandboxError> {
        self.stdout.flush(|piece| (self.sink)(Stream::Stdout, piece));
        self.stderr.flush(|piece| (self.sink)(Stream::Stderr, piece));
        // What it left behind would go on.
        let alive = match self.connection.in_agent(KILL_ALL).await {
            Ok(finished) if finished.status != 0 => Err(SandboxError::Lost(finished.stderr)),
            other => other,
        };
        match (last, alive) {
            (Event::Exited(status), Ok(_)) => Ok(self.result(Some(by_status(status)))),
            (Event::Failed(reason) | Event::Cut(reason), Ok(_)) => Err(SandboxError::Lost(reason)),
            (_, Err(error)) => match self.connection.verdict(cause::agent_ended).await {
                Some(seen) if cause::out_of_memory(&seen) => Ok(self.result(Some(Outcome::OutOfMemory))),
                Some(seen) => Err(SandboxError::Lost(cause::lost(&seen).unwrap_or_else(|| "it ended".into()))),
                None => Err(error),
            },
            (event, Ok(_)) => Err(SandboxError::Lost(format!("an unexpected end: {event:?}"))),
        }
    }

    fn result(&mut self, without_farewell: Option<Outcome>) -> Ended {
        let outcome = self.why.or(without_farewell).or_else(|| self.stderr.farewell());
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let refused = Refused { disk: self.stderr.found_no_room(), processes: self.stderr.found_a_crowd() };
        Ended { outcome: outcome.unwrap_or(Outcome::Signalled(9)), stdout, stderr, refused }
    }
}
