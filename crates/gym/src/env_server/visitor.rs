//! The policy of a visit: its turns come from a client, through a channel.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::episode::{Message, Reply};
use crate::policy::{Action, Policy, PolicyError, Session};
use crate::task::Task;

/// What the loop's side of the channel holds.
pub(super) struct Line {
    /// Messages that the client shall read.
    pub(super) out: Sender<Vec<Message>>,
    /// What the client does next.
    pub(super) back: Receiver<Said>,
    /// How long the client may think.
    pub(super) patience: Duration,
}

/// What a client does next.
pub(super) enum Said {
    /// An assistant turn.
    Reply(Reply),
    /// Its model has no room for another one.
    Full,
}

/// Plays one episode, once.
pub(super) struct Visitor {
    name: String,
    line: Mutex<Option<Line>>,
}

impl Visitor {
    pub(super) fn new(name: &str, line: Line) -> Self {
        Self { name: name.to_owned(), line: Mutex::new(Some(line)) }
    }
}

impl Policy for Visitor {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn start(&self, _task: &Task, _sample: u32, _seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        let line = line.ok_or_else(|| PolicyError::Unavailable("a visitor plays one episode".to_owned()))?;
        Ok(Box::new(line))
    }
}

#[async_trait]
impl Session for Line {
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
        let left = || PolicyError::Unavailable("the client left the episode".to_owned());
        self.out.send(new.to_vec()).map_err(|_| left())?;
        match self.back.recv_timeout(self.patience) {
            Ok(Said::Reply(reply)) => Ok(Action::Reply(reply)),
            Ok(Said::Full) => Ok(Action::ContextFull),
            Err(RecvTimeoutError::Disconnected) => Err(left()),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = self.patience.as_secs_f64();
                Err(PolicyError::Unavailable(format!("the client said nothing for {seconds} s")))
            }
        }
    }
}
