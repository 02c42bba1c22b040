//! `http`: any server that speaks the OpenAI chat-completions protocol with tools: vLLM, SGLang, llama.cpp, hosted ones.
//!
//! `wire` translates, `client` posts and classifies failures. What the model gets wrong is a malformed reply; what the
//! server gets wrong is a [`PolicyError`]. Tokens are not recorded. Proxies and keys come from the caller.

mod client;
mod completion;
mod failure;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use self::completion::{Completion, Completions};
pub use self::wire::{Reading, tool_list};

use self::client::{Client, Posted};
use super::{Action, Policy, PolicyError, Session};
use crate::episode::Message;
use crate::task::Task;

/// Where the model is and how it is sampled. Not printable, as it holds the key.
#[derive(Clone)]
pub struct HttpConfig {
    /// Address up to and including the version, for example `http://localhost:8000/v1`.
    pub base_url: String,
    /// The model's name on that server.
    pub model: String,
    /// Sent as a bearer token when there is one.
    pub api_key: Option<String>,
    /// Address of an HTTP proxy.
    pub proxy: Option<String>,
    /// Sampling temperature; the server's default when `None`.
    pub temperature: Option<f64>,
    /// Tokens of one turn at most; the server's default when `None`.
    pub max_tokens: Option<u32>,
    /// Whether to send the episode's seed; some servers refuse it.
    pub send_seed: bool,
    /// Added to the body of every request, replacing what stands there; for settings of one server.
    pub extra: Map<String, Value>,
    /// Wall time of one request.
    pub timeout: Duration,
    /// How often one turn is requested at most while the server is unreachable or overloaded.
    pub attempts: u32,
    /// Pause before the second attempt; doubles with each further one. `Retry-After` may lengthen it to a minute.
    pub backoff: Duration,
}

impl HttpConfig {
    /// A configuration with the usual limits: 10 minutes per request, 5 attempts, 1 second before the second.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: model.into(),
            api_key: None,
            proxy: None,
            temperature: None,
            max_tokens: None,
            send_seed: false,
            extra: Map::new(),
            timeout: Duration::from_secs(600),
            attempts: 5,
            backoff: Duration::from_secs(1),
        }
    }
}

/// A model behind HTTP.
#[derive(Clone)]
pub struct Http {
    client: Client,
    opening: Arc<str>,
    send_seed: bool,
    model: String,
}

impl Http {
    /// Makes the policy; nothing is sent yet.
    ///
    /// # Errors
    /// [`PolicyError::Unavailable`] when the address or the proxy is not a URL.
    pub fn new(config: &HttpConfig) -> Result<Self, PolicyError> {
        Ok(Self {
            client: Client::new(config)?,
            opening: wire::opening(config).into(),
            send_seed: config.send_seed,
            model: config.model.clone(),
        })
    }
}

impl Policy for Http {
    fn name(&self) -> String {
        format!("http:{}", self.model)
    }

    fn start(&self, _task: &Task, _sample: u32, seed: u64) -> Result<Box<dyn Session>, PolicyError> {
        // Servers read the seed as a signed number, some of them of 32 bits.
        let seed = self.send_seed.then_some(seed >> 33);
        let conversation = wire::Conversation::new(self.opening.clone(), seed);
        Ok(Box::new(Chat { client: self.client.clone(), conversation }))
    }
}

struct Chat {
    client: Client,
    conversation: wire::Conversation,
}

#[async_trait]
impl Session for Chat {
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
        self.conversation.extend(new);
        match self.client.post(&self.conversation.body()).await? {
            // A prompt that never fits is a wrong setting, not a model that talked too much.
            Posted::ContextFull if !self.conversation.has_begun() => Err(self.client.prompt_too_long()),
            Posted::ContextFull => Ok(Action::ContextFull),
            Posted::Body(body) => {
                self.conversation.reply(&body).map(Action::Reply).map_err(|why| self.client.nonsense(&why))
            }
        }
    }
}
