//! The chat-completions format: requests, the conversation so far, replies.
//!
//! Servers render earlier tool calls through templates that fail on broken arguments. So a malformed reply goes back as
//! plain text, and its observation as a user message.

use serde_json::{Map, Value, json};

use super::HttpConfig;
use crate::agent::tools;
use crate::episode::{Message, Reply, Role, ToolCall};

/// The part of the request that stays the same.
pub(super) fn request(config: &HttpConfig) -> Map<String, Value> {
    let describe = |tool: &tools::Tool| {
        json!({"type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.schema()}})
    };
    let mut request = Map::new();
    request.insert("model".to_owned(), json!(config.model));
    request.insert("tools".to_owned(), tools::ALL.iter().map(|tool| describe(tool)).collect());
    if let Some(temperature) = config.temperature {
        request.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(max_tokens) = config.max_tokens {
        request.insert("max_tokens".to_owned(), json!(max_tokens));
    }
    request.extend(config.extra.clone());
    request
}

/// All messages so far, as the server wants them.
pub(super) struct Conversation {
    messages: Vec<Value>,
    /// Identifiers of the calls that have no observation yet.
    open: Vec<String>,
}

impl Conversation {
    pub(super) fn new() -> Self {
        Self { messages: vec![json!({"role": "system", "content": tools::SYSTEM})], open: Vec::new() }
    }

    pub(super) fn messages(&self) -> Value {
        Value::Array(self.messages.clone())
    }

    /// Whether the server has replied at least once.
    pub(super) fn has_begun(&self) -> bool {
        self.messages.iter().any(|message| message["role"] == "assistant")
    }

    /// Appends what the agent loop says; tool messages answer the open calls in order.
    pub(super) fn extend(&mut self, new: &[Message]) {
        let mut open = std::mem::take(&mut self.open).into_iter();
        for message in new {
            let content = &message.content;
            let call = if message.role == Role::Tool { open.next() } else { None };
            self.messages.push(match (call, message.role) {
                (Some(id), _) => json!({"role": "tool", "tool_call_id": id, "content": content}),
                (None, Role::Assistant) => json!({"role": "assistant", "content": content}),
                (None, _) => json!({"role": "user", "content": content}),
            });
        }
    }

    /// Reads the server's body and appends the reply to the conversation.
    ///
    /// # Errors
    /// What is wrong with the body, when it is not a chat completion or the server broke off.
    pub(super) fn reply(&mut self, body: &Value) -> Result<Reply, String> {
        let choice = &body["choices"][0];
        let message = choice["message"].as_object().ok_or("expected `choices[0].message` in the answer")?;
        let text = text(message);
        let calls = message.get("tool_calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let parsed = match choice["finish_reason"].as_str() {
            Some("length") => Err("it was cut off at the token limit".to_owned()),
            Some(reason @ ("content_filter" | "abort" | "error")) => {
                return Err(format!("the server ended the turn with `{reason}`"));
            }
            _ if calls.is_empty() && text.contains("<tool_call>") => {
                Err("the tool call stands in the text (does the server have a tool-call parser enabled?)".to_owned())
            }
            _ => calls.iter().enumerate().map(call).collect::<Result<Vec<_>, _>>(),
        };
        Ok(match parsed {
            Ok(parsed) => self.accept(text, parsed),
            Err(why) => self.reject(text, calls, why),
        })
    }

    fn accept(&mut self, text: String, calls: Vec<(String, ToolCall, Value)>) -> Reply {
        let mut message = json!({"role": "assistant", "content": text});
        if !calls.is_empty() {
            message["tool_calls"] = calls.iter().map(|(_, _, raw)| raw.clone()).collect();
        }
        self.messages.push(message);
        let (open, calls) = calls.into_iter().map(|(id, call, _)| (id, call)).unzip();
        self.open = open;
        Reply { text, calls, malformed: None }
    }

    fn reject(&mut self, mut text: String, calls: &[Value], why: String) -> Reply {
        for call in calls {
            text.push_str(&format!("\n<tool_call>{}</tool_call>", call["function"]));
        }
        self.messages.push(json!({"role": "assistant", "content": text}));
        Reply { text, calls: Vec::new(), malformed: Some(why) }
    }
}

/// The text of a message; some servers send it in parts, some send none beside a tool call.
fn text(message: &Map<String, Value>) -> String {
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
    let id = raw["id"].as_str().map_or_else(|| format!("call_{index}"), str::to_owned);
    let function = json!({"name": name, "arguments": arguments.to_string()});
    Ok((id.clone(), call, json!({"id": id, "type": "function", "function": function})))
}
