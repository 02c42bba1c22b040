//! One episode of a client: the agent loop on a thread of its own, and the two channels between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::visitor::{Line, Said, Visitor};
use super::{Keep, lock, wire};
use crate::episode::{Episode, Grade, InvalidCause, Message};
use crate::policy::Reading;
use crate::rollout::{Job, Player, World, once};

/// One episode, from the client's side.
pub(super) struct Visit {
    task: String,
    skill: String,
    patience: Duration,
    state: Mutex<State>,
    /// Set when the episode is over, which may be without the client.
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    /// To the loop; dropped when the client leaves.
    said: Sender<Said>,
    /// From the loop; ends before the episode comes.
    seen: Receiver<Vec<Message>>,
    ended: Receiver<Episode>,
    /// The result, once it is known.
    result: Option<Value>,
    /// Names of the calls of the last turn, which its observations answer.
    calls: Vec<String>,
    touched: Instant,
}

/// What a client gets for a turn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turn {
    /// Messages that follow its own, in the form of chat completions.
    Go(Vec<Value>),
    /// The episode is over, with this result.
    Over(Value),
}

impl Turn {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Go(messages) => json!({"messages": messages, "done": false}),
            Self::Over(result) => {
                let mut whole = json!({"messages": [], "done": true});
                whole.as_object_mut().expect("it is an object").extend(result.as_object().cloned().unwrap_or_default());
                whole
            }
        }
    }
}

impl Visit {
    /// Starts the loop.
    pub(super) fn begin(job: Job, policy: &str, world: Arc<dyn World>, patience: Duration, keep: Option<Keep>) -> Self {
        let (said, back) = channel();
        let (out, seen) = channel();
        let (end, ended) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let (task, skill) = (job.task.id.clone(), job.task.skill.clone());
        let visitor = Visitor::new(policy, Line { out, back, patience });
        let is_over = over.clone();
        let thread = std::thread::spawn(move || {
            let mut episode = once(&job, Player::Policy(&visitor), world.as_ref());
            if let Some(Err(why)) = keep.map(|keep| keep(episode.clone())) {
                let cause = InvalidCause::Grader(format!("it could not be recorded: {why}"));
                episode.grade = Grade::Invalid(cause);
            }
            is_over.store(true, Ordering::Relaxed);
            // Nobody may be there any more.
            let _ = end.send(episode);
        });
        let state = State { said, seen, ended, result: None, calls: Vec::new(), touched: Instant::now() };
        Self { task, skill, patience, state: Mutex::new(state), over, thread: Some(thread) }
    }

    /// The messages that the episode begins with.
    pub(super) fn open(&self) -> Turn {
        wait(&mut lock(&self.state))
    }

    /// Hands over an assistant turn and waits for what follows.
    pub(super) fn act(&self, reading: Reading) -> Result<Turn, String> {
        self.say(Said::Reply(reading.reply), reading.calls)
    }

    /// The client's model has no room for another turn: what is there is graded.
    pub(super) fn full(&self) -> Result<Turn, String> {
        self.say(Said::Full, Vec::new())
    }

    fn say(&self, said: Said, calls: Vec<String>) -> Result<Turn, String> {
        // Two turns at once have no order, so the second one waits for the first.
        let mut state = lock(&self.state);
        state.touched = Instant::now();
        if state.result.is_some() {
            return Err("the episode is over; `GET` it for its result, or begin another one".to_owned());
        }
        state.calls = calls;
        // A loop that gave up has left its result, which is what the client gets.
        let _ = state.said.send(said);
        Ok(wait(&mut state))
    }

    /// What is known about it.
    pub(super) fn line(&self, id: &str) -> Value {
        let mut line = json!({"episode": id, "task": self.task, "skill": self.skill, "done": false});
        // Not waited for: a turn may be at work.
        let Ok(mut state) = self.state.try_lock() else { return line };
        if state.result.is_none() && self.over.load(Ordering::Relaxed) {
            wait(&mut state);
        }
        if let Some(result) = &state.result {
            line["done"] = json!(true);
            line.as_object_mut().expect("it is an object").extend(result.as_object().cloned().unwrap_or_default());
        }
        line
    }

    /// Whether it is over and nobody has asked for it for long.
    pub(super) fn is_stale(&self) -> bool {
        self.over.load(Ordering::Relaxed)
            && self.state.try_lock().is_ok_and(|state| state.touched.elapsed() > self.patience)
    }
}

impl Drop for Visit {
    /// Whoever leaves ends the episode; its sandbox is gone when this returns.
    fn drop(&mut self) {
        let (nobody, _) = channel();
        lock(&self.state).said = nobody;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the loop says next: messages, or the end.
fn wait(state: &mut State) -> Turn {
    if let Ok(new) = state.seen.recv() {
        return Turn::Go(wire::messages(&new, &std::mem::take(&mut state.calls)));
    }
    let result = match state.ended.recv() {
        Ok(episode) => wire::result(&episode),
        Err(_) => wire::lost(),
    };
    debug_assert_eq!(state.seen.try_recv(), Err(TryRecvError::Disconnected));
    state.touched = Instant::now();
    state.result = Some(result.clone());
    Turn::Over(result)
}
