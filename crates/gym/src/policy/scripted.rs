//! `scripted`: turns a function from observations to replies into a policy. The teacher and tests use it.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Action, Policy, PolicyError, Session};
use crate::episode::{Message, Observation, Reply, ToolCall};
use crate::task::Task;

/// The rest of one episode: from the observations since the last reply (none at first) to the next reply.
pub type Script = Box<dyn FnMut(&[Observation]) -> Reply + Send>;

/// Begins a script for a task and a seed.
pub type Playwright = Arc<dyn Fn(&Task, u64) -> Script + Send + Sync>;

/// A policy that follows scripts.
#[derive(Clone)]
pub struct Scripted {
    name: String,
    playwright: Playwright,
}

impl Scripted {
    /// Makes the policy from its name and from what begins its scripts.
    pub fn new(name: impl Into<String>, playwright: Playwright) -> Self {
        Self { name: name.into(), playwright }
    }
}

impl Policy for Scripted {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn start(&self, task: &Task, _sample: u32, seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        Ok(Box::new(Playing { script: (self.playwright)(task, seed), calls: Vec::new(), is_prompt: true }))
    }
}

struct Playing {
    script: Script,
    /// What was called last; the observations answer it.
    calls: Vec<ToolCall>,
    is_prompt: bool,
}

#[async_trait]
impl Session for Playing {
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
        let seen: Vec<Observation> = match std::mem::take(&mut self.is_prompt) {
            true => Vec::new(),
            false => new.iter().enumerate().map(|(index, message)| self.observation(index, message)).collect(),
        };
        let reply = (self.script)(&seen);
        self.calls = reply.calls.clone();
        Ok(Action::Reply(reply))
    }
}

impl Playing {
    /// What a policy can know of an observation: its text, and the status that the last line tells.
    fn observation(&self, index: usize, message: &Message) -> Observation {
        let status = match self.calls.get(index) {
            Some(ToolCall::Bash { .. }) => status(&message.content),
            _ => None,
        };
        Observation { text: message.content.clone(), status, duration: std::time::Duration::ZERO }
    }
}

fn status(text: &str) -> Option<i32> {
    let last = text.lines().last().unwrap_or_default();
    match last.strip_prefix("[exit ").and_then(|rest| rest.strip_suffix(']')) {
        Some(number) => number.parse().ok(),
        None if last.starts_with("[killed") || last.starts_with("not run:") => None,
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_last_line() {
        assert_eq!(status("a\n[exit 3]"), Some(3));
        assert_eq!(status("a"), Some(0));
        assert_eq!(status("[no output]"), Some(0));
        assert_eq!(status("a\n[killed after 10 s]"), None);
    }
}
