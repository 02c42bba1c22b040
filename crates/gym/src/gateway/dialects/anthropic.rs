//! Anthropic messages.

use serde_json::{Value, json};

use super::{Answer, Asked, Dialect, Event, object, sampling};
use crate::gateway::conversation::{Call, Message, Speaker, text};
use crate::gateway::session::Session;

/// The line of the registry.
pub(in crate::gateway) const DIALECT: Dialect = Dialect { path: "/v1/messages", parse, answer, events };

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
    let call =
        |call: &Call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": object(&call.arguments)});
    said.into_iter().chain(message.calls.iter().map(call)).collect()
}

fn answer(answer: &Answer<'_>) -> Value {
    let (input, output) = answer.turn.usage;
    json!({"id": answer.id, "type": "message", "role": "assistant", "model": answer.model, "content": content(answer),
        "stop_reason": stop_reason(answer), "stop_sequence": null, "usage": {"input_tokens": input, "output_tokens": output}})
}

fn events(answer: &Answer<'_>) -> Vec<Event> {
    let mut begun = self::answer(answer);
    let (stop_reason, output) = (begun["stop_reason"].take(), begun["usage"]["output_tokens"].take());
    begun["content"] = json!([]);
    begun["usage"]["output_tokens"] = json!(0);
    let mut events = vec![("message_start", json!({"message": begun}))];
    for (index, block) in content(answer).into_iter().enumerate() {
        let (empty, delta) = match block["type"].as_str() {
            Some("text") => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": block["text"]})),
            _ => {
                let mut empty = block.clone();
                empty["input"] = json!({});
                (empty, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
            }
        };
        events.push(("content_block_start", json!({"index": index, "content_block": empty})));
        events.push(("content_block_delta", json!({"index": index, "delta": delta})));
        events.push(("content_block_stop", json!({"index": index})));
    }
    let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
    events.push(("message_delta", json!({"delta": delta, "usage": {"output_tokens": output}})));
    events.push(("message_stop", json!({})));
    let whole = |(kind, mut value): (&'static str, Value)| {
        value["type"] = json!(kind);
        (Some(kind), value.to_string())
    };
    events.into_iter().map(whole).collect()
}
