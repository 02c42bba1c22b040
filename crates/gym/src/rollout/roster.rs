//! Who is at what: the episodes that are being played, what each waits for, and since when.
//!
//! Kept so that whoever waits for a rollout can say what is missing. Decides nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Job;
use crate::episode::ToolCall;

/// The episodes that are being played now.
#[derive(Debug, Default)]
pub struct Roster {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    posts: BTreeMap<u64, Post>,
    next: u64,
}

/// One episode and what it waits for.
#[derive(Debug, Clone)]
pub struct Post {
    /// Skill of the task.
    pub skill: String,
    /// Id of the task.
    pub task: String,
    /// Which sample of the task.
    pub sample: u32,
    /// What it waits for.
    pub at: Wait,
    /// Since when.
    pub since: Instant,
}

/// What an episode can wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A sandbox to act in.
    Sandbox,
    /// The next turn of the policy.
    Turn,
    /// The sandbox, which carries out what the policy asked for.
    Tool(String),
    /// The verdict on what was handed in.
    Verdict,
}

impl Post {
    /// How long it has been waiting for this.
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }
}

impl fmt::Display for Post {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { skill, task, sample, at, .. } = self;
        let task = task.get(..12).unwrap_or(task);
        write!(formatter, "{skill} {task} sample {sample}: {at} for {:.0} s", self.waited().as_secs_f64())
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox => formatter.write_str("waits for a sandbox"),
            Self::Turn => formatter.write_str("waits for the model"),
            Self::Tool(call) => write!(formatter, "runs `{call}`"),
            Self::Verdict => formatter.write_str("is graded"),
        }
    }
}

impl Roster {
    /// All that wait now; those that have waited longest come first.
    pub fn posts(&self) -> Vec<Post> {
        let mut posts: Vec<Post> = self.lock().posts.values().cloned().collect();
        posts.sort_by_key(|post| post.since);
        posts
    }

    /// Takes an episode in, until what is returned is dropped.
    pub(super) fn enter(&self, job: &Job) -> Entry<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let Job { task, sample, .. } = job;
        let (skill, task) = (task.skill.clone(), task.id.clone());
        let post = Post { skill, task, sample: *sample, at: Wait::Sandbox, since: Instant::now() };
        state.posts.insert(number, post);
        Entry { roster: self, number }
    }

    /// A panic elsewhere cannot leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An episode on the roster.
pub(super) struct Entry<'a> {
    roster: &'a Roster,
    number: u64,
}

impl Entry<'_> {
    /// From now on it waits for this.
    pub(super) fn waits_for(&self, wait: Wait) {
        if let Some(post) = self.roster.lock().posts.get_mut(&self.number) {
            (post.at, post.since) = (wait, Instant::now());
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.roster.lock().posts.remove(&self.number);
    }
}

/// The calls of one turn, short enough for one line.
pub(super) fn shown(calls: &[ToolCall]) -> String {
    let call = |call: &ToolCall| match call {
        ToolCall::Bash { command } => command.clone(),
        ToolCall::StrReplace { path, .. } => format!("str_replace {path}"),
    };
    let line = calls.iter().map(call).collect::<Vec<_>>().join("; ").replace(char::is_control, " ");
    let end = line.char_indices().nth(80).map_or(line.len(), |(end, _)| end);
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testkit::task;

    #[test]
    fn a_post_names_skill_task_sample_and_what_is_waited_for() {
        let task = Arc::new(crate::task::Task { id: "0123456789abcdef".into(), skill: "edit".into(), ..task() });
        let roster = Roster::default();
        let entry = roster.enter(&Job { task, sample: 3, seed: 0 });
        let text = || roster.posts().iter().map(Post::to_string).collect::<Vec<_>>();
        assert_eq!(text(), ["edit 0123456789ab sample 3: waits for a sandbox for 0 s"]);
        entry.waits_for(Wait::Tool(shown(&[
            ToolCall::Bash { command: "cat a\n".into() },
            ToolCall::StrReplace { path: "b".into(), old: String::new(), new: String::new() },
        ])));
        assert_eq!(text(), ["edit 0123456789ab sample 3: runs `cat a ; str_replace b` for 0 s"]);
        drop(entry);
        assert_eq!(roster.posts().len(), 0);
    }
}
