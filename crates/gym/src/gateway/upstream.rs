//! What stands behind the gateway: an engine of ours, or a model server.

use serde_json::Value;

use super::conversation::Message;
use crate::client;

/// Samples turns.
pub trait Upstream: Send + Sync {
    /// The name under which the model is offered.
    fn model(&self) -> String;

    /// Longest sequence in tokens, if it is known.
    fn context(&self) -> Option<usize>;

    /// The next turn of a conversation.
    ///
    /// # Errors
    /// [`UpstreamError`] with the status that the client gets.
    fn chat(&self, ask: &Ask<'_>) -> Result<Turn, UpstreamError>;

    /// The same, and tells `said` each piece of what is said as soon as it is sampled; those who know only whole turns tell nothing.
    /// What was told is the beginning of the turn's text.
    ///
    /// # Errors
    /// As [`Upstream::chat`].
    fn chat_telling(&self, ask: &Ask<'_>, said: &mut dyn FnMut(&str)) -> Result<Turn, UpstreamError> {
        let _ = said;
        self.chat(ask)
    }

    /// What continues some ids.
    ///
    /// # Errors
    /// As [`Upstream::chat`].
    fn generate(&self, ids: &[u32], sampling: &Sampling) -> Result<Sampled, UpstreamError>;

    /// How many tokens a conversation has as a prompt, if the gateway knows.
    fn count(&self, _messages: &[Message]) -> Option<usize> {
        None
    }
}

/// One conversation to go on with.
pub struct Ask<'a> {
    /// All of it.
    pub messages: &'a [Message],
    /// Tools in the form of chat completions; not all upstreams look at them.
    pub tools: &'a [Value],
    /// The ids of the first `covered` messages as they were sampled, if the conversation continues an earlier turn.
    pub known: &'a [u32],
    /// How many messages those are.
    pub covered: usize,
    /// How to sample.
    pub sampling: &'a Sampling,
}

/// How a turn is sampled; what is `None` is the upstream's choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Tokens at most.
    pub max_tokens: Option<usize>,
    /// Softmax temperature.
    pub temperature: Option<f32>,
    /// Nucleus.
    pub top_p: Option<f32>,
    /// Seed of this turn.
    pub seed: Option<u64>,
    /// Texts after which sampling ends.
    pub stop: Vec<String>,
    /// Ids after which sampling ends.
    pub stop_ids: Vec<u32>,
}

/// Sampled ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampled {
    /// The ids.
    pub ids: Vec<u32>,
    /// The log-probability of each at temperature 1.
    pub logprobs: Vec<f32>,
    /// Whether the limit of tokens ended it.
    pub is_cut: bool,
    /// Version of the weights.
    pub version: u64,
}

/// One turn of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What it said.
    pub message: Message,
    /// The ids of its prompt; empty when the upstream does not tell.
    pub prompt: Vec<u32>,
    /// What was sampled; without ids when the upstream does not tell.
    pub sampled: Sampled,
    /// Tokens of prompt and turn, for the bill.
    pub usage: (usize, usize),
}

/// Why there is no turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UpstreamError {
    /// The status that the client gets.
    pub status: u16,
    /// One line.
    pub message: String,
}

impl UpstreamError {
    /// A failure with a status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Whether it is said that the conversation has no room.
    pub fn is_context_full(&self) -> bool {
        client::is_context_full(self.status, &self.message)
    }
}
