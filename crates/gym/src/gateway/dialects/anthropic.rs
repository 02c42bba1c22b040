//! Anthropic messages.

use serde_json::{Value, json};

use super::{About, Answer, Asked, Dialect, Event, object, rest, sampling};
use crate::gateway::conversation::{Call, Message, Speaker, text};
use crate::gateway::session::Session;

/// The line of the registry.
pub(in crate::gateway) const DIALECT: Dialect =
    Dialect { path: "/v1/messages", parse, answer, begin, say, end, broken, write };

fn parse(body: &Value, _: &Session) -> Result<Asked, String> {
    let given = body["messages"].as_array().ok_or("`messages` is missing, expected a list")?;
    let system = text(&body["system"]);
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(Message::new(Speaker::System, system));
    }
    for (at, message) in given.iter().enumerate() {
        match message["role"].as_str() {
            Some("assistant") => messages.push(assistant(&message["content"])),
            Some("user") => user(&message["content"], &mut messages),
            Some("system") => messages.push(Message::new(Speaker::System, text(&message["content"]))),
            _ => return Err(format!("`messages[{at}].role` is {}, expected user or assistant", message["role"])),
        }
    }
    let tool = |tool: &Value| {
        json!({"type": "function", "function": {"name": tool["name"], "description": tool["description"],
            "parameters": tool["input_schema"]}})
    };
    Ok(Asked {
        messages,
        tools: body["tools"].as_array().into_iter().flatten().map(tool).collect(),
        sampling: sampling(body, &["max_tokens"])?,
        stream: body["stream"] == json!(true),
        ..Asked::default()
    })
}

fn blocks<'a>(content: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    content.as_array().into_iter().flatten().filter(move |block| block["type"] == *kind)
}

fn assistant(content: &Value) -> Message {
    let call = |block: &Value| Call {
        id: block["id"].as_str().unwrap_or_default().to_owned(),
        name: block["name"].as_str().unwrap_or_default().to_owned(),
        arguments: block["input"].to_string(),
    };
    let calls = blocks(content, "tool_use").map(call).collect();
    Message { calls, ..Message::new(Speaker::Assistant, spoken(content)) }
}

/// Results of tools are messages of their own; text beside them follows.
fn user(content: &Value, messages: &mut Vec<Message>) {
    for block in blocks(content, "tool_result") {
        let answers = block["tool_use_id"].as_str().map(str::to_owned);
        messages.push(Message { answers, ..Message::new(Speaker::Tool, text(&block["content"])) });
    }
    let said = spoken(content);
    if !said.is_empty() || messages.last().is_none_or(|last| last.speaker != Speaker::Tool) {
        messages.push(Message::new(Speaker::User, said));
    }
}

fn spoken(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        _ => blocks(content, "text").filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
    }
}

fn stop_reason(answer: &Answer<'_>) -> &'static str {
    match answer.turn.sampled.is_cut {
        true => "max_tokens",
        false if answer.turn.message.calls.is_empty() => "end_turn",
        false => "tool_use",
    }
}

fn content(answer: &Answer<'_>) -> Vec<Value> {
    let message = &answer.turn.message;
    let said =
        (!message.text.is_empty() || message.calls.is_empty()).then(|| json!({"type": "text", "text": message.text}));
    said.into_iter().chain(message.calls.iter().map(call)).collect()
}

fn call(call: &Call) -> Value {
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": object(&call.arguments)})
}

fn message(about: &About<'_>, content: &[Value], usage: (usize, usize)) -> Value {
    json!({"id": about.id, "type": "message", "role": "assistant", "model": about.model, "content": content,
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": usage.0, "output_tokens": usage.1}})
}

fn answer(answer: &Answer<'_>) -> Value {
    let mut whole = message(&answer.about, &content(answer), answer.turn.usage);
    whole["stop_reason"] = json!(stop_reason(answer));
    whole
}

fn begin(about: &About<'_>, prompt: usize) -> Vec<Event> {
    vec![("message_start", json!({"message": message(about, &[], (prompt, 0))}))]
}

fn start(index: usize, block: Value) -> Event {
    ("content_block_start", json!({"index": index, "content_block": block}))
}

fn delta(index: usize, delta: Value) -> Event {
    ("content_block_delta", json!({"index": index, "delta": delta}))
}

fn stop(index: usize) -> Event {
    ("content_block_stop", json!({"index": index}))
}

/// Text is the first block.
fn say(_: &About<'_>, text: &str, is_first: bool) -> Vec<Event> {
    let begun = is_first.then(|| start(0, json!({"type": "text", "text": ""})));
    begun.into_iter().chain([delta(0, json!({"type": "text_delta", "text": text}))]).collect()
}

fn end(answer: &Answer<'_>, told: &str) -> Vec<Event> {
    let message = &answer.turn.message;
    let has_text = !message.text.is_empty() || message.calls.is_empty();
    let rest = rest(answer, told);
    let mut events = Vec::new();
    if has_text {
        if told.is_empty() || !rest.is_empty() {
            events.extend(say(&answer.about, rest, told.is_empty()));
        }
        events.push(stop(0));
    }
    for (own, index) in message.calls.iter().zip(usize::from(has_text)..) {
        let block = call(own);
        let mut empty = block.clone();
        empty["input"] = json!({});
        let arguments = json!({"type": "input_json_delta", "partial_json": block["input"].to_string()});
        events.extend([start(index, empty), delta(index, arguments), stop(index)]);
    }
    let (input, output) = answer.turn.usage;
    let ended = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
    let usage = json!({"input_tokens": input, "output_tokens": output});
    events.push(("message_delta", json!({"delta": ended, "usage": usage})));
    events.push(("message_stop", json!({})));
    events
}

fn broken(reason: &str) -> Vec<Event> {
    vec![("error", json!({"error": {"type": "api_error", "message": reason}}))]
}

fn write((kind, mut data): Event, _: usize) -> (Option<&'static str>, String) {
    data["type"] = json!(kind);
    (Some(kind), data.to_string())
}
