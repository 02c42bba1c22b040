//! Who acts: one file or folder per policy, and the traits that they implement.
//!
//! A policy starts a session per episode; the session sees messages and gives replies. It never sees the sandbox, the
//! skill's hidden part (except `reference`, which is given it) or the grader, and never decides a reward.

pub mod http;
pub mod nothing;
pub mod reference;
pub mod scripted;

use async_trait::async_trait;

pub use http::{Reading, tool_list};

use crate::episode::{InvalidCause, Message, Reply, TokenTrace};
use crate::task::Task;

/// Something that can work on tasks, many at once.
pub trait Policy: Send + Sync {
    /// The name that episodes are recorded under.
    fn name(&self) -> String;

    /// Begins an episode. `sample` counts the episodes of one task from 0; all randomness comes from `seed`.
    ///
    /// # Errors
    /// [`PolicyError`] when the policy cannot act at all.
    fn start(&self, task: &Task, sample: u32, seed: u64) -> Result<Box<dyn Session>, PolicyError>;
}

/// One episode, from the policy's side.
#[async_trait]
pub trait Session: Send {
    /// The next assistant turn; it may wait for it, or hold up its thread. `new` are the messages since the last call: first the prompt, later one
    /// [`Role::Tool`](crate::episode::Role::Tool) message per call of the last reply in order, or one for a malformed reply.
    ///
    /// # Errors
    /// [`PolicyError`] when there is no turn to be had; whatever the model got wrong is a malformed [`Reply`].
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError>;

    /// Tokens of the episode so far, if the policy has any.
    fn trace(&mut self) -> Option<TokenTrace> {
        None
    }
}

/// What a session does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One assistant turn; it ends the episode when it has no calls and is not malformed.
    Reply(Reply),
    /// The context has no room for another turn: the episode ends.
    ContextFull,
}

/// Why a policy could not act. Always an invalid episode, never a reward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The model server cannot be reached, refuses, or stays overloaded.
    #[error("{0}")]
    Unavailable(String),
    /// The server answered with something that is not a reply.
    #[error("{0}")]
    BadReply(String),
    /// The engine that samples failed.
    #[error("{0}")]
    Engine(String),
}

impl From<PolicyError> for InvalidCause {
    fn from(error: PolicyError) -> Self {
        Self::Model(error.to_string())
    }
}
