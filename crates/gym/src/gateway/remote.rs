//! An upstream that is a model server: vLLM, SGLang, or any other that speaks chat completions.
//!
//! Servers that tell ids and log-probabilities make turns that can be trained on; for others the conversation alone is kept. What a
//! training server must not do (fewer log-probabilities than ids, values that are no numbers) is an error, never a turn.

use std::time::Duration;

use pollster::FutureExt as _;
use serde_json::{Map, Value, json};

use super::conversation::{Call, Message, Speaker, text};
use super::dialects::{chat, generate};
use super::upstream::{Ask, Sampled, Sampling, Turn, Upstream, UpstreamError};
use crate::client::{CallError, Client, Target};

/// Longer answers are not read.
const LONGEST: usize = 256 << 20;

/// Where the server is. Not printable, as it holds the key.
#[derive(Clone)]
pub struct RemoteConfig {
    /// Address up to and including the version, for example `http://localhost:8000/v1`.
    pub base_url: String,
    /// The model's name on that server.
    pub model: String,
    /// Sent as a bearer token when there is one.
    pub api_key: Option<String>,
    /// Address of an HTTP proxy.
    pub proxy: Option<String>,
    /// Wall time of one request.
    pub timeout: Duration,
}

/// See the module.
pub struct Remote {
    config: RemoteConfig,
    client: Client,
}

impl Remote {
    /// Makes the upstream; nothing is sent yet.
    ///
    /// # Errors
    /// When the address or the proxy is none.
    pub fn new(config: RemoteConfig) -> Result<Self, UpstreamError> {
        let client = Client::new(Target {
            address: &config.base_url,
            example: "http://localhost:8000/v1",
            proxy: config.proxy.as_deref(),
            connect: Duration::from_secs(10),
            request: config.timeout,
            longest: LONGEST,
        })
        .map_err(|error| UpstreamError::new(400, error.to_string()))?;
        let base_url = client.base().to_owned();
        Ok(Self { client, config: RemoteConfig { base_url, ..config } })
    }

    fn post(&self, url: &str, request: &Value) -> Result<Value, UpstreamError> {
        let broken = |error: CallError| {
            UpstreamError::new(
                502,
                format!("cannot reach `{url}`: {error}; check the address and that the server is up"),
            )
        };
        let key = self.config.api_key.as_ref().map(|key| format!("Bearer {key}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.as_deref().map(|key| ("authorization", key)));
        let answer = self.client.post(url, &headers, &[request.to_string().as_bytes()]).block_on().map_err(broken)?;
        let (status, body) = (answer.status, answer.body);
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        match (status, json) {
            (200, Some(json)) => Ok(json),
            (200, None) => Err(UpstreamError::new(502, format!("`{url}` sent no JSON"))),
            (status, _) => {
                let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
                // A redirect is no answer to an agent.
                let told = if status < 400 { 502 } else { status };
                Err(UpstreamError::new(told, format!("`{url}` answered {status}: {text}")))
            }
        }
    }

    fn request(&self, ask: &Ask<'_>) -> Value {
        let sampling = ask.sampling;
        let mut request = Map::from_iter([
            ("model".to_owned(), json!(self.config.model)),
            ("messages".to_owned(), ask.messages.iter().map(chat::wire).collect()),
            // In the words of vLLM and of SGLang; others pass over what they do not know.
            ("logprobs".to_owned(), json!(true)),
            ("return_token_ids".to_owned(), json!(true)),
            ("return_prompt_token_ids".to_owned(), json!(true)),
        ]);
        let mut set =
            |name: &str, value: Option<Value>| drop(value.map(|value| request.insert(name.to_owned(), value)));
        set("tools", (!ask.tools.is_empty()).then(|| json!(ask.tools)));
        set("max_tokens", sampling.max_tokens.map(|it| json!(it)));
        set("temperature", sampling.temperature.map(|it| json!(it)));
        set("top_p", sampling.top_p.map(|it| json!(it)));
        set("seed", sampling.seed.map(|it| json!(it)));
        set("stop", (!sampling.stop.is_empty()).then(|| json!(sampling.stop)));
        Value::Object(request)
    }
}

impl Upstream for Remote {
    fn model(&self) -> String {
        self.config.model.clone()
    }

    fn context(&self) -> Option<usize> {
        None
    }

    fn chat(&self, ask: &Ask<'_>) -> Result<Turn, UpstreamError> {
        let url = format!("{}/chat/completions", self.config.base_url);
        let body = self.post(&url, &self.request(ask))?;
        turn(&body).map_err(|reason| UpstreamError::new(502, format!("`{url}` sent no usable turn: {reason}")))
    }

    fn generate(&self, ids: &[u32], sampling: &Sampling) -> Result<Sampled, UpstreamError> {
        let root = self.config.base_url.trim_end_matches("/v1");
        let url = format!("{root}{}", generate::PATH);
        let body = self.post(&url, &generate::request(&self.config.model, ids, sampling))?;
        generate::sampled(&body)
            .map_err(|reason| UpstreamError::new(502, format!("`{url}` sent no usable turn: {reason}")))
    }
}

fn turn(body: &Value) -> Result<Turn, String> {
    let choice = &body["choices"][0];
    let message = choice["message"].as_object().ok_or("`choices[0].message` is missing")?;
    let call = |(at, call): (usize, &Value)| Call {
        id: call["id"].as_str().map_or_else(|| format!("call_{at}"), str::to_owned),
        name: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
        arguments: match &call["function"]["arguments"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    };
    let calls =
        message.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate().map(call).collect();
    let content = message.get("content").map(text).unwrap_or_default();
    let list = |places: [&Value; 3]| -> Vec<u32> {
        let found = places.into_iter().find_map(Value::as_array);
        found.into_iter().flatten().filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect()
    };
    let prompt = list([&body["prompt_token_ids"], &choice["prompt_token_ids"], &Value::Null]);
    let ids = list([
        &choice["token_ids"],
        &choice["response_token_ids"],
        &message.get("token_ids").cloned().unwrap_or_default(),
    ]);
    let logprobs = choice["logprobs"]["content"].as_array();
    let logprobs: Vec<f32> = logprobs.into_iter().flatten().filter_map(finite).collect();
    if !ids.is_empty() && ids.len() != logprobs.len() {
        return Err(format!("{} ids with {} log-probabilities; its version may be too old", ids.len(), logprobs.len()));
    }
    let (prompt_tokens, completion_tokens) = (&body["usage"]["prompt_tokens"], &body["usage"]["completion_tokens"]);
    let count = |value: &Value, known: usize| value.as_u64().map_or(known, |count| count as usize);
    let usage = (count(prompt_tokens, prompt.len()), count(completion_tokens, ids.len()));
    let is_cut = choice["finish_reason"] == "length";
    Ok(Turn {
        message: Message { calls, ..Message::new(Speaker::Assistant, content) },
        prompt,
        sampled: Sampled { ids, logprobs, is_cut, version: 0 },
        usage,
    })
}

fn finite(token: &Value) -> Option<f32> {
    // Servers write -9999 where they have none.
    token["logprob"].as_f64().filter(|it| it.is_finite() && *it > -9999.0).map(|it| it as f32)
}
