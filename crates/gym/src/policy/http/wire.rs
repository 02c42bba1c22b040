//! The chat-completions format: requests, the conversation so far, replies.
//!
//! Servers render earlier tool calls through templates that fail on broken arguments. So a malformed reply goes back as
//! plain text, and its observation as a user message.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::HttpConfig;
use crate::agent::tools;
use crate::episode::{Message, Reply, Role, ToolCall};

/// The two tools as servers are told of them.
pub fn tool_list() -> Value {
    let describe = |tool: &tools::Tool| {
        json!({"type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.schema()}})
    };
    tools::ALL.iter().map(|tool| describe(tool)).collect()
}

/// The beginning of every request, up to its seed and its messages.
pub(super) fn opening(config: &HttpConfig) -> String {
    let mut request = Map::new();
    request.insert("model".to_owned(), json!(config.model));
    request.insert("tools".to_owned(), tool_list());
    if let Some(temperature) = config.temperature {
        request.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(max_tokens) = config.max_tokens {
        request.insert("max_tokens".to_owned(), json!(max_tokens));
    }
    request.extend(config.extra.clone());
    request.remove("messages");
    if config.send_seed {
        request.remove("seed");
    }
    let mut opening = Value::Object(request).to_string();
    opening.pop();
    opening
}

/// An assistant message as it was sent by somebody who keeps the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The turn; malformed where its calls could not be read.
    pub reply: Reply,
    /// Identifiers of all its calls, in order.
    pub calls: Vec<String>,
}

impl Reading {
    /// Reads an assistant message of chat completions.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(message: &Value) -> Result<Self, String> {
        let object = message.as_object().ok_or("expected an assistant message")?;
        if object.get("role").is_some_and(|role| role != "assistant") {
            return Err(format!("the message has the role {}, expected `assistant`", object["role"]));
        }
        let raw = match object.get("tool_calls") {
            None | Some(Value::Null) => &[][..],
            Some(calls) => calls.as_array().ok_or("`tool_calls` is wrong, expected a list")?.as_slice(),
        };
        let reply = read(text(object), raw, object.get("finish_reason").and_then(Value::as_str));
        let calls = raw.iter().enumerate().map(identifier).collect();
        Ok(match reply {
            Ok((text, parsed)) => {
                let parsed = parsed.into_iter().map(|(_, call, _)| call).collect();
                Self { reply: Reply { text, calls: parsed, malformed: None }, calls }
            }
            Err((text, why)) => Self { reply: Reply { text, calls: Vec::new(), malformed: Some(why) }, calls },
        })
    }
}

/// Text and calls of an assistant message, or the text and what is wrong with it.
type Read = Result<(String, Vec<(String, ToolCall, Value)>), (String, String)>;

fn read(text: String, calls: &[Value], finish_reason: Option<&str>) -> Read {
    let parsed = match finish_reason {
        Some("length") => Err("it was cut off at the token limit".to_owned()),
        _ if calls.is_empty() && text.contains("<tool_call>") => {
            Err("the tool call stands in the text (does the server have a tool-call parser enabled?)".to_owned())
        }
        _ => calls.iter().enumerate().map(call).collect::<Result<Vec<_>, _>>(),
    };
    match parsed {
        Ok(calls) => Ok((text, calls)),
        Err(why) => Err((text, why)),
    }
}

/// The request as it stands, as text, which is what is sent, and takes a tenth of the memory of a tree.
pub(super) struct Conversation {
    /// See [`opening`].
    opening: Arc<str>,
    /// As a field, or nothing.
    seed: String,
    messages: Vec<Box<[u8]>>,
    has_begun: bool,
    /// Identifiers of the calls that have no observation yet.
    open: Vec<String>,
}

impl Conversation {
    pub(super) fn new(opening: Arc<str>, seed: Option<u64>) -> Self {
        let seed = seed.map_or_else(String::new, |seed| format!(",\"seed\":{seed}"));
        let mut conversation = Self { opening, seed, messages: Vec::new(), has_begun: false, open: Vec::new() };
        conversation.push(Said::new("system", tools::SYSTEM));
        conversation
    }

    /// The body of the request, in pieces. Hundreds of requests wait for their answers at once, so none of them is a copy.
    pub(super) fn body(&self) -> Vec<&[u8]> {
        let mut body = Vec::with_capacity(2 * self.messages.len() + 4);
        body.extend([self.opening.as_bytes(), self.seed.as_bytes(), b",\"messages\":"]);
        let separators = std::iter::once(&b"["[..]).chain(std::iter::repeat(&b","[..]));
        body.extend(separators.zip(&self.messages).flat_map(|(separator, message)| [separator, message]));
        body.push(b"]}");
        body
    }

    fn push(&mut self, said: Said<'_>) {
        let mut message = Vec::with_capacity(said.content.len() + 1024);
        serde_json::to_writer(&mut message, &said).expect("a message is JSON");
        // Copied, not shrunk: the allocator keeps what is cut off, in every thread.
        self.messages.push(message.as_slice().into());
    }

    /// Whether the server has replied at least once.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Appends what the agent loop says; tool messages answer the open calls in order.
    pub(super) fn extend(&mut self, new: &[Message]) {
        let mut open = std::mem::take(&mut self.open).into_iter();
        for message in new {
            let call = if message.role == Role::Tool { open.next() } else { None };
            let role = match (&call, message.role) {
                (Some(_), _) => "tool",
                (None, Role::Assistant) => "assistant",
                (None, _) => "user",
            };
            self.push(Said { tool_call_id: call.as_deref(), ..Said::new(role, &message.content) });
        }
    }

    /// Reads the server's body and appends the reply to the conversation.
    ///
    /// # Errors
    /// What is wrong with the body, when it is not a chat completion or the server broke off.
    pub(super) fn reply(&mut self, body: &Value) -> Result<Reply, String> {
        let choice = &body["choices"][0];
        let message = choice["message"].as_object().ok_or("expected `choices[0].message` in the answer")?;
        let calls = message.get("tool_calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let reason = choice["finish_reason"].as_str();
        if let Some(reason @ ("content_filter" | "abort" | "error")) = reason {
            return Err(format!("the server ended the turn with `{reason}`"));
        }
        self.has_begun = true;
        Ok(match read(text(message), calls, reason) {
            Ok((text, parsed)) => self.accept(text, parsed),
            Err((text, why)) => self.reject(text, calls, why),
        })
    }

    fn accept(&mut self, text: String, calls: Vec<(String, ToolCall, Value)>) -> Reply {
        let mut said = Said::new("assistant", &text);
        said.tool_calls = calls.iter().map(|(_, _, raw)| raw).collect();
        self.push(said);
        // Kept as long as the episode, so without room for more.
        let mut kept = Vec::with_capacity(calls.len());
        for (id, call, _) in calls {
            self.open.push(id);
            kept.push(call);
        }
        Reply { text, calls: kept, malformed: None }
    }

    fn reject(&mut self, mut text: String, calls: &[Value], why: String) -> Reply {
        for call in calls {
            text.push_str(&format!("\n<tool_call>{}</tool_call>", call["function"]));
        }
        self.push(Said::new("assistant", &text));
        Reply { text, calls: Vec::new(), malformed: Some(why) }
    }
}

/// A message as servers want it.
#[derive(Serialize)]
struct Said<'a> {
    role: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<&'a Value>,
}

impl<'a> Said<'a> {
    fn new(role: &'a str, content: &'a str) -> Self {
        Self { role, content, tool_call_id: None, tool_calls: Vec::new() }
    }
}

/// The text of a message; some servers send it in parts, some send none beside a tool call.
pub(super) fn text(message: &Map<String, Value>) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => message.get("refusal").and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

/// Identifier, call, and the form in which it goes back to the server.
fn call((index, raw): (usize, &Value)) -> Result<(String, ToolCall, Value), String> {
    let function = &raw["function"];
    let name = function["name"].as_str().ok_or("a tool call has no name")?;
    let arguments = match &function["arguments"] {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|error| format!("the arguments of `{name}` are not JSON: {error}"))?
        }
        // Some servers send the object itself.
        other => other.clone(),
    };
    let call = tools::parse(name, &arguments)?;
    let id = identifier((index, raw));
    let function = json!({"name": name, "arguments": arguments.to_string()});
    Ok((id.clone(), call, json!({"id": id, "type": "function", "function": function})))
}

/// The identifier of a call; some servers give none.
fn identifier((index, raw): (usize, &Value)) -> String {
    raw["id"].as_str().map_or_else(|| format!("call_{index}"), str::to_owned)
}
