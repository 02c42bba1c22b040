//! Posts one request until it has an answer or no further attempt makes sense.

use std::io::{self, Read};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};

use super::HttpConfig;
use super::failure::{Failure, excerpt};
use crate::client::{self, Target};
use crate::policy::PolicyError;

/// Answers longer than this are not chat completions.
const MAX_BODY_BYTES: u64 = 32 << 20;
/// Room for most answers. What a text outgrows on its way here stays in the memory that the allocator keeps for each thread.
const USUAL_BODY_BYTES: usize = 4 << 10;
/// The longest pause between two attempts, whatever the server asks for.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Posts to one address.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
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
        let (agent, base) = client::agent(Target {
            address: &config.base_url,
            example: "http://localhost:8000/v1",
            proxy: config.proxy.as_deref(),
            key: config.api_key.as_deref(),
            connect: Duration::from_secs(10),
            request: config.timeout,
        })
        .map_err(|error| PolicyError::Unavailable(error.to_string()))?;
        Ok(Self {
            agent,
            url: format!("{base}/chat/completions"),
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
    pub(super) fn post(&self, request: &[&[u8]]) -> Result<Posted, PolicyError> {
        let mut pause = self.backoff;
        let mut attempt = 1;
        loop {
            let mut asked = Duration::ZERO;
            match self.attempt(request, &mut asked) {
                Ok(posted) => return Ok(posted),
                Err(failure) if !failure.retry || attempt >= self.attempts => return Err(failure.error),
                Err(_) => sleep(pause.max(asked).min(MAX_PAUSE)),
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
    fn attempt(&self, request: &[&[u8]], asked: &mut Duration) -> Result<Posted, Failure> {
        let broken = |error| Failure::transport(&self.url, &error, self.timeout);
        let length: usize = request.iter().map(|piece| piece.len()).sum();
        let mut post = self.agent.post(&self.url).header("content-length", length).content_type("application/json");
        if let Some(authorization) = &self.authorization {
            post = post.header("authorization", authorization);
        }
        let mut pieces = Pieces { rest: request.iter(), piece: b"" };
        let mut response = post.send(SendBody::from_reader(&mut pieces)).map_err(broken)?;
        *asked = retry_after(&response).unwrap_or_default();
        let mut body = Vec::with_capacity(USUAL_BODY_BYTES);
        let mut reader = response.body_mut().with_config().limit(MAX_BODY_BYTES).reader();
        reader.read_to_end(&mut body).map_err(|error| broken(error.into()))?;
        self.classify(response.status().as_u16(), &String::from_utf8_lossy(&body))
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

/// Reads texts one after the other.
struct Pieces<'a> {
    rest: std::slice::Iter<'a, &'a [u8]>,
    piece: &'a [u8],
}

impl Read for Pieces<'_> {
    /// Fills the buffer if it can: what is read at once is sent at once.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.piece.is_empty() {
                let Some(next) = self.rest.next() else { break };
                self.piece = next;
            }
            filled += self.piece.read(&mut buffer[filled..])?;
        }
        Ok(filled)
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

/// The pause that the server asks for, when it is given in seconds.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
