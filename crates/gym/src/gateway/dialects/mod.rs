//! How agents speak to models: a file per protocol, with its line here. Each turns a request into a conversation, and a turn into an
//! answer or into the events of one.

pub(super) mod anthropic;
pub(super) mod chat;
pub(super) mod generate;
mod responses;

use serde_json::Value;

use super::conversation::Message;
use super::session::Session;
use super::upstream::{Sampling, Turn};

/// One protocol.
pub(super) struct Dialect {
    /// Where it is spoken, below the address of a session.
    pub(super) path: &'static str,
    /// Reads a request; some refer to earlier answers of the session.
    pub(super) parse: fn(&Value, &Session) -> Result<Asked, String>,
    /// The answer as a whole.
    pub(super) answer: fn(&Answer<'_>) -> Value,
    /// The events before anything is said, after a prompt of so many tokens, if that is known.
    pub(super) begin: fn(&About<'_>, usize) -> Vec<Event>,
    /// The events of a piece of text, which may be the first.
    pub(super) say: fn(&About<'_>, &str, bool) -> Vec<Event>,
    /// The events that are left when the turn is there and this text was told.
    pub(super) end: fn(&Answer<'_>, &str) -> Vec<Event>,
    /// The events of a turn that came to nothing for this reason.
    pub(super) broken: fn(&str) -> Vec<Event>,
    /// How an event is sent that is the so-manieth: its kind, if the protocol sends kinds, and its data.
    pub(super) write: fn(Event, usize) -> (Option<&'static str>, String),
}

impl Dialect {
    /// Whether it is spoken at this path. Clients differ in whether their address ends with the version.
    pub(super) fn is_at(&self, path: &str) -> bool {
        path == self.path || path == self.path.trim_start_matches("/v1")
    }
}

/// An event with its kind.
pub(super) type Event = (&'static str, Value);

/// All protocols with conversations.
pub(super) const ALL: [&Dialect; 3] = [&chat::DIALECT, &anthropic::DIALECT, &responses::DIALECT];

/// What a request asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) messages: Vec<Message>,
    /// Tools in the form of chat completions.
    pub(super) tools: Vec<Value>,
    pub(super) sampling: Sampling,
    pub(super) stream: bool,
    /// Whether the last event of a stream shall say what was used.
    pub(super) usage: bool,
    /// Whether the answer shall have ids.
    pub(super) ids: bool,
    /// Whether the answer shall have log-probabilities.
    pub(super) logprobs: bool,
}

/// What is known of an answer before there is one.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) asked: &'a Asked,
}

/// What an answer is made from.
pub(super) struct Answer<'a> {
    pub(super) about: About<'a>,
    pub(super) turn: &'a Turn,
    /// The head of the chain, if tokens are known.
    pub(super) chain: Option<&'a str>,
}

/// What was not told yet of a turn's text.
fn rest<'a>(answer: &Answer<'a>, told: &str) -> &'a str {
    answer.turn.message.text.strip_prefix(told).unwrap_or_default()
}

/// Reads what the protocols call alike.
fn sampling(body: &Value, max_tokens: &[&str]) -> Result<Sampling, String> {
    let number = |name: &str| match &body[name] {
        Value::Null => Ok(None),
        value => value.as_f64().map(Some).ok_or_else(|| format!("`{name}` is `{value}`, expected a number")),
    };
    let mut most = None;
    for name in max_tokens {
        most = most.or(number(name)?);
    }
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(texts) => texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    };
    let ids = body["stop_token_ids"].as_array().into_iter().flatten();
    Ok(Sampling {
        max_tokens: most.map(|most| most.max(0.0) as usize),
        temperature: number("temperature")?.map(|it| it as f32),
        top_p: number("top_p")?.map(|it| it as f32),
        seed: body["seed"].as_u64(),
        stop: [texts(&body["stop"]), texts(&body["stop_sequences"])].concat(),
        stop_ids: ids.filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect(),
    })
}

/// Log-probabilities of a turn, each with its id as the token.
fn logprobs(turn: &Turn) -> Value {
    let token = |(id, logprob): (&u32, &f32)| serde_json::json!({"token": format!("token_id:{id}"), "logprob": logprob, "bytes": null, "top_logprobs": []});
    turn.sampled.ids.iter().zip(&turn.sampled.logprobs).map(token).collect()
}

/// The arguments of a call as an object, as far as they are one.
fn object(arguments: &str) -> Value {
    serde_json::from_str(arguments).ok().filter(Value::is_object).unwrap_or_else(|| serde_json::json!({}))
}
