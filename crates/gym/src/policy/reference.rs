//! `reference`: hands in the gold submission of each task through the same tools as any other policy.
//!
//! A task on which this does not score full is broken. The gold submission comes from the caller: policies do not know
//! skills.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Action, Policy, PolicyError, Session};
use crate::episode::{FileChange, Message, Reply, Submission, ToolCall};
use crate::task::Task;

/// Finds the gold submission of a task, or says why it has none.
pub type Gold = Arc<dyn Fn(&Task) -> Result<Submission, String> + Send + Sync>;

/// Stays below the calls that an agent may make in one turn.
const CALLS_PER_TURN: usize = 8;

/// The policy that knows the solution.
#[derive(Clone)]
pub struct Reference {
    gold: Gold,
}

impl Reference {
    /// Makes the policy from what finds gold submissions.
    pub fn new(gold: Gold) -> Self {
        Self { gold }
    }
}

impl Policy for Reference {
    fn name(&self) -> String {
        "reference".to_owned()
    }

    fn start(&self, task: &Task, _sample: u32, _seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        let gold = (self.gold)(task)
            .map_err(|reason| PolicyError::Engine(format!("task `{}` has no gold submission: {reason}", task.id)))?;
        Ok(Box::new(Script { turns: turns(&gold) }))
    }
}

struct Script {
    turns: VecDeque<Reply>,
}

#[async_trait]
impl Session for Script {
    async fn act(&mut self, _new: &[Message]) -> Result<Action, PolicyError> {
        Ok(Action::Reply(self.turns.pop_front().unwrap_or_default()))
    }
}

fn turns(gold: &Submission) -> VecDeque<Reply> {
    let calls: Vec<ToolCall> = gold.files.iter().flat_map(calls).collect();
    let acting = calls.chunks(CALLS_PER_TURN).map(|calls| Reply { calls: calls.to_vec(), ..Reply::default() });
    let answer = Reply { text: gold.answer.clone(), ..Reply::default() };
    acting.chain([answer]).collect()
}

/// Removes what is there and creates the file anew, so that content needs no quoting for the shell.
fn calls(change: &FileChange) -> Vec<ToolCall> {
    let quoted = change.path.replace('\'', r"'\''");
    let remove = ToolCall::Bash { command: format!("rm -rf -- '{quoted}'") };
    let create = change.content.as_ref().map(|content| ToolCall::StrReplace {
        path: change.path.clone(),
        old: String::new(),
        new: content.clone(),
    });
    std::iter::once(remove).chain(create).collect()
}
