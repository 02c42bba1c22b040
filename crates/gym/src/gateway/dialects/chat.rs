//! OpenAI chat completions, with the ids of vLLM.

use serde_json::{Value, json};

use super::{About, Answer, Asked, Dialect, Event, logprobs, rest, sampling};
use crate::gateway::conversation::{Call, Message, Speaker, text};
use crate::gateway::session::Session;

/// The line of the registry.
pub(super) const DIALECT: Dialect =
    Dialect { path: "/v1/chat/completions", parse, answer, begin, say, end, broken, write };

fn parse(body: &Value, _: &Session) -> Result<Asked, String> {
    if body["n"].as_u64().is_some_and(|n| n != 1) {
        return Err("`n` must be 1; ask several times for several samples".to_owned());
    }
    let messages = body["messages"].as_array().ok_or("`messages` is missing, expected a list")?;
    Ok(Asked {
        messages: messages.iter().enumerate().map(message).collect::<Result<_, _>>()?,
        tools: body["tools"].as_array().cloned().unwrap_or_default(),
        sampling: sampling(body, &["max_completion_tokens", "max_tokens"])?,
        stream: body["stream"] == json!(true),
        usage: body["stream_options"]["include_usage"] == json!(true),
        ids: body["return_token_ids"] == json!(true),
        logprobs: body["logprobs"] == json!(true),
    })
}

fn message((at, value): (usize, &Value)) -> Result<Message, String> {
    let speaker = match value["role"].as_str() {
        Some("system" | "developer") => Speaker::System,
        Some("user") => Speaker::User,
        Some("assistant") => Speaker::Assistant,
        Some("tool" | "function") => Speaker::Tool,
        _ => {
            return Err(format!(
                "`messages[{at}].role` is {}, expected system, user, assistant or tool",
                value["role"]
            ));
        }
    };
    let call = |call: &Value| Call {
        id: call["id"].as_str().unwrap_or_default().to_owned(),
        name: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
        arguments: match &call["function"]["arguments"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    };
    Ok(Message {
        calls: value["tool_calls"].as_array().into_iter().flatten().map(call).collect(),
        answers: value["tool_call_id"].as_str().map(str::to_owned),
        ..Message::new(speaker, text(&value["content"]))
    })
}

/// A message as this protocol has it; also how upstreams of this protocol are asked.
pub(in crate::gateway) fn wire(message: &Message) -> Value {
    let role = match message.speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    };
    let mut value = json!({"role": role, "content": message.text});
    if !message.calls.is_empty() {
        value["tool_calls"] = message.calls.iter().map(call).collect();
    }
    if let Some(id) = &message.answers {
        value["tool_call_id"] = json!(id);
    }
    value
}

fn call(call: &Call) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

fn finish(answer: &Answer<'_>) -> &'static str {
    match answer.turn.sampled.is_cut {
        true => "length",
        false if answer.turn.message.calls.is_empty() => "stop",
        false => "tool_calls",
    }
}

fn usage(answer: &Answer<'_>) -> Value {
    let (prompt, completion) = answer.turn.usage;
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

fn answer(answer: &Answer<'_>) -> Value {
    let mut choice = json!({"index": 0, "message": wire(&answer.turn.message), "finish_reason": finish(answer)});
    let mut whole = json!({"id": answer.about.id, "object": "chat.completion", "created": answer.about.created,
        "model": answer.about.model,
        "usage": usage(answer)});
    add_tokens(answer, &mut whole, &mut choice);
    whole["choices"] = json!([choice]);
    whole
}

fn add_tokens(answer: &Answer<'_>, whole: &mut Value, choice: &mut Value) {
    if answer.about.asked.logprobs {
        choice["logprobs"] = json!({"content": logprobs(answer.turn)});
    }
    if answer.about.asked.ids {
        choice["token_ids"] = json!(answer.turn.sampled.ids);
        whole["prompt_token_ids"] = json!(answer.turn.prompt);
    }
    if let Some(chain) = answer.chain {
        whole["basis_chain"] = json!(chain);
    }
}

fn base(about: &About<'_>) -> Value {
    json!({"id": about.id, "object": "chat.completion.chunk", "created": about.created, "model": about.model})
}

fn chunk(about: &About<'_>, delta: Value, finish: Option<&str>) -> Event {
    let mut chunk = base(about);
    chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    ("", chunk)
}

fn begin(about: &About<'_>, _: usize) -> Vec<Event> {
    vec![chunk(about, json!({"role": "assistant", "content": ""}), None)]
}

fn say(about: &About<'_>, text: &str, _: bool) -> Vec<Event> {
    vec![chunk(about, json!({"content": text}), None)]
}

fn end(answer: &Answer<'_>, told: &str) -> Vec<Event> {
    let about = &answer.about;
    let rest = rest(answer, told);
    let mut chunks = if rest.is_empty() { Vec::new() } else { say(about, rest, told.is_empty()) };
    for (index, own) in answer.turn.message.calls.iter().enumerate() {
        let mut delta = call(own);
        delta["index"] = json!(index);
        chunks.push(chunk(about, json!({"tool_calls": [delta]}), None));
    }
    let (kind, mut last) = chunk(about, json!({}), Some(finish(answer)));
    let mut choice = last["choices"][0].take();
    add_tokens(answer, &mut last, &mut choice);
    last["choices"] = json!([choice]);
    chunks.push((kind, last));
    if about.asked.usage {
        let mut chunk = base(about);
        (chunk["choices"], chunk["usage"]) = (json!([]), usage(answer));
        chunks.push(("", chunk));
    }
    chunks.push(("", json!("[DONE]")));
    chunks
}

fn broken(reason: &str) -> Vec<Event> {
    vec![("", json!({"error": {"message": reason, "type": "server_error"}})), ("", json!("[DONE]"))]
}

/// The last line is no JSON.
fn write((_, data): Event, _: usize) -> (Option<&'static str>, String) {
    (None, data.as_str().map_or_else(|| data.to_string(), str::to_owned))
}
