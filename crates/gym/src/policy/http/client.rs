//! Posts one request until it has an answer or no further attempt makes sense.

use std::time::Duration;

use async_io::Timer;
use serde_json::Value;

use super::HttpConfig;
use super::failure::{Failure, excerpt};
use crate::client::{self, Target};
use crate::policy::PolicyError;

/// Answers longer than this are not chat completions.
const MAX_BODY_BYTES: usize = 32 << 20;
/// The longest pause between two attempts, whatever the server asks for.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Posts to one address.
#[derive(Clone)]
pub(super) struct Client {
    client: client::Client,
    url: String,
    authorization: Option<String>,
    timeout: Duration,
    attempts: u32,
    backoff: Duration,
}

/// What came of a request.
pub(super) enum Posted {
    /// The server's answer.
    Body(Value),
    /// The conversation does not fit into the model's context.
    ContextFull,
}

impl Client {
    pub(super) fn new(config: &HttpConfig) -> Result<Self, PolicyError> {
        let client = client::Client::new(Target {
            address: &config.base_url,
            example: "http://localhost:8000/v1",
            proxy: config.proxy.as_deref(),
            connect: Duration::from_secs(10),
            request: config.timeout,
            longest: MAX_BODY_BYTES,
        })
        .map_err(|error| PolicyError::Unavailable(error.to_string()))?;
        Ok(Self {
            url: format!("{}/chat/completions", client.base()),
            client,
            authorization: config.api_key.as_ref().map(|key| format!("Bearer {key}")),
            timeout: config.timeout,
            attempts: config.attempts,
            backoff: config.backoff,
        })
    }

    /// Posts a JSON text, given in pieces, again while the server is unreachable or overloaded.
    ///
    /// # Errors
    /// The last failure, with the address and the next step.
    pub(super) async fn post(&self, request: &[&[u8]]) -> Result<Posted, PolicyError> {
        let mut pause = self.backoff;
        let mut attempt = 1;
        loop {
            let mut asked = Duration::ZERO;
            match self.attempt(request, &mut asked).await {
                Ok(posted) => return Ok(posted),
                Err(failure) if !failure.retry || attempt >= self.attempts => return Err(failure.error),
                Err(_) => drop(Timer::after(pause.max(asked).min(MAX_PAUSE)).await),
            }
            attempt += 1;
            pause *= 2;
        }
    }

    /// The error for an answer that is JSON but no chat completion.
    pub(super) fn nonsense(&self, why: &str) -> PolicyError {
        Failure::nonsense(&self.url, why).error
    }

    /// The error for a prompt that alone is longer than the model's context.
    pub(super) fn prompt_too_long(&self) -> PolicyError {
        let next = "lower `max_tokens` or give the model more context";
        PolicyError::Unavailable(format!("`{}` has no room for the prompt; {next}", self.url))
    }

    /// One request. `asked` becomes the pause that the server asks for.
    async fn attempt(&self, request: &[&[u8]], asked: &mut Duration) -> Result<Posted, Failure> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.authorization.as_deref().map(|key| ("authorization", key)));
        let answer = self.client.post(&self.url, &headers, request).await;
        let answer = answer.map_err(|error| Failure::transport(&self.url, &error, self.timeout))?;
        *asked = answer.retry_after().unwrap_or_default();
        self.classify(answer.status, &String::from_utf8_lossy(&answer.body))
    }

    fn classify(&self, status: u16, body: &str) -> Result<Posted, Failure> {
        let json: Option<Value> = serde_json::from_str(body).ok();
        match (real_status(status, json.as_ref()), json) {
            (200, Some(json)) => Ok(Posted::Body(json)),
            (200, None) => Err(Failure::nonsense(&self.url, &format!("expected JSON, got `{}`", excerpt(body)))),
            (status, _) if client::is_context_full(status, body) => Ok(Posted::ContextFull),
            (status, _) => Err(Failure::status(&self.url, status, body)),
        }
    }
}

/// Some gateways wrap the failure of the server behind them in a success.
fn real_status(status: u16, json: Option<&Value>) -> u16 {
    match json.map(|json| &json["error"]) {
        Some(error) if status == 200 && !error.is_null() => {
            let code = error["code"].as_str().and_then(|code| code.parse().ok()).or(error["code"].as_u64());
            code.and_then(|code| u16::try_from(code).ok()).unwrap_or(502)
        }
        _ => status,
    }
}
