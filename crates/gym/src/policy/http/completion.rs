//! One answer of a model in plain words, without tools: for programs that need a text and not an agent.

use pollster::FutureExt as _;
use serde_json::{Map, Value, json};

use super::HttpConfig;
use super::client::{Client, Posted};
use super::wire::text;
use crate::policy::PolicyError;

/// A model that writes texts.
#[derive(Clone)]
pub struct Completions {
    client: Client,
    request: Map<String, Value>,
}

/// A text, and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What the model wrote.
    pub text: String,
    /// Tokens that it read and wrote, as the server counts them; 0 where it does not.
    pub read: u64,
    /// See above.
    pub written: u64,
}

impl Completions {
    /// Prepares requests; nothing is sent yet.
    ///
    /// # Errors
    /// [`PolicyError::Unavailable`] when the address or the proxy is not a URL.
    pub fn new(config: &HttpConfig) -> Result<Self, PolicyError> {
        let mut request = Map::new();
        request.insert("model".to_owned(), json!(config.model));
        if let Some(temperature) = config.temperature {
            request.insert("temperature".to_owned(), json!(temperature));
        }
        if let Some(max_tokens) = config.max_tokens {
            request.insert("max_tokens".to_owned(), json!(max_tokens));
        }
        request.extend(config.extra.clone());
        Ok(Self { client: Client::new(config)?, request })
    }

    /// Everything on which an answer depends, but for where the server is.
    pub fn request(&self, messages: &[(&str, String)]) -> Value {
        let messages = messages.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
        let mut request = self.request.clone();
        request.insert("messages".to_owned(), messages);
        Value::Object(request)
    }

    /// Sends what [`Self::request`] made.
    ///
    /// # Errors
    /// When the server has no answer.
    pub fn complete(&self, request: &Value) -> Result<Completion, PolicyError> {
        let Posted::Body(body) = self.client.post(&[request.to_string().as_bytes()]).block_on()? else {
            return Err(self.client.prompt_too_long());
        };
        let message = body["choices"][0]["message"].as_object();
        let text = text(message.ok_or_else(|| self.client.nonsense("expected `choices[0].message` in the answer"))?);
        let count = |key: &str| body["usage"][key].as_u64().unwrap_or_default();
        Ok(Completion { text, read: count("prompt_tokens"), written: count("completion_tokens") })
    }
}
