//! OpenAI responses, with the ids that NeMo Gym looks for.

use serde_json::{Value, json};

use super::{About, Answer, Asked, Dialect, Event, rest, sampling};
use crate::gateway::conversation::{Call, Message, Speaker, text};
use crate::gateway::session::Session;

/// The line of the registry.
pub(super) const DIALECT: Dialect = Dialect { path: "/v1/responses", parse, answer, begin, say, end, broken, write };

fn parse(body: &Value, session: &Session) -> Result<Asked, String> {
    let mut messages: Vec<Message> = match body["previous_response_id"].as_str() {
        None => Vec::new(),
        Some(id) => session
            .named(id)
            .ok_or_else(|| format!("`previous_response_id` is `{id}`, which this session never answered"))?
            .to_vec(),
    };
    if let Some(instructions) = body["instructions"].as_str()
        && messages.is_empty()
    {
        messages.push(Message::new(Speaker::System, instructions));
    }
    match &body["input"] {
        Value::String(text) => messages.push(Message::new(Speaker::User, text.clone())),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(at, value)| item(at, value, &mut messages))?;
        }
        other => return Err(format!("`input` is `{other}`, expected a text or a list")),
    }
    let tool = |tool: &Value| {
        json!({"type": "function", "function": {"name": tool["name"], "description": tool["description"],
            "parameters": tool["parameters"]}})
    };
    let tools = body["tools"].as_array().into_iter().flatten().filter(|tool| tool["type"] == "function");
    Ok(Asked {
        messages,
        tools: tools.map(tool).collect(),
        sampling: sampling(body, &["max_output_tokens"])?,
        stream: body["stream"] == json!(true),
        ..Asked::default()
    })
}

/// Calls belong to the message of the assistant before them.
fn item(at: usize, value: &Value, messages: &mut Vec<Message>) -> Result<(), String> {
    match value["type"].as_str().unwrap_or("message") {
        "message" => {
            let speaker = match value["role"].as_str() {
                Some("system" | "developer") => Speaker::System,
                Some("user") => Speaker::User,
                Some("assistant") => Speaker::Assistant,
                _ => {
                    return Err(format!("`input[{at}].role` is {}, expected user, assistant or system", value["role"]));
                }
            };
            messages.push(Message::new(speaker, text(&value["content"])));
        }
        "function_call" => {
            let named = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            let call = Call { id: named("call_id"), name: named("name"), arguments: named("arguments") };
            match messages.last_mut().filter(|last| last.speaker == Speaker::Assistant) {
                Some(last) => last.calls.push(call),
                None => messages.push(Message { calls: vec![call], ..Message::new(Speaker::Assistant, "") }),
            }
        }
        "function_call_output" => {
            let answers = value["call_id"].as_str().map(str::to_owned);
            messages.push(Message { answers, ..Message::new(Speaker::Tool, text(&value["output"])) });
        }
        // What the policy thought is no part of what it is shown again.
        "reasoning" => {}
        other => return Err(format!("`input[{at}].type` is `{other}`, which is not understood")),
    }
    Ok(())
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

/// The item of what is said.
fn item_of(about: &About<'_>, content: &[Value], status: &str) -> Value {
    json!({"type": "message", "id": format!("msg_{}", about.id), "role": "assistant", "status": status, "content": content})
}

fn output(answer: &Answer<'_>) -> Vec<Value> {
    let message = &answer.turn.message;
    let said = (!message.text.is_empty() || message.calls.is_empty())
        .then(|| item_of(&answer.about, &[part(&message.text)], "completed"));
    let call = |call: &Call| {
        json!({"type": "function_call", "id": format!("fc_{}", call.id), "call_id": call.id, "name": call.name,
            "arguments": call.arguments, "status": "completed"})
    };
    let mut items: Vec<Value> = said.into_iter().chain(message.calls.iter().map(call)).collect();
    // They belong to the turn as a whole, and stand in its last item.
    if let (Some(last), false) = (items.last_mut(), answer.turn.sampled.ids.is_empty()) {
        last["prompt_token_ids"] = json!(answer.turn.prompt);
        last["generation_token_ids"] = json!(answer.turn.sampled.ids);
        last["generation_log_probs"] = json!(answer.turn.sampled.logprobs);
    }
    items
}

/// A response without anything in it yet.
fn empty(about: &About<'_>) -> Value {
    json!({"id": about.id, "object": "response", "created_at": about.created, "model": about.model,
        "status": "in_progress", "incomplete_details": null,
        "error": null, "instructions": null, "metadata": {}, "output": [], "parallel_tool_calls": true,
        "temperature": about.asked.sampling.temperature, "tool_choice": "auto", "tools": [],
        "top_p": about.asked.sampling.top_p, "usage": null})
}

fn answer(answer: &Answer<'_>) -> Value {
    let (input, output) = answer.turn.usage;
    let is_cut = answer.turn.sampled.is_cut;
    let mut whole = empty(&answer.about);
    whole["status"] = json!(if is_cut { "incomplete" } else { "completed" });
    whole["incomplete_details"] = if is_cut { json!({"reason": "max_output_tokens"}) } else { Value::Null };
    whole["output"] = json!(self::output(answer));
    whole["usage"] = json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output});
    whole
}

fn begin(about: &About<'_>, _: usize) -> Vec<Event> {
    vec![("response.created", json!({"response": empty(about)}))]
}

/// What is said is the first item.
fn say(about: &About<'_>, text: &str, is_first: bool) -> Vec<Event> {
    let item = item_of(about, &[], "in_progress");
    let id = item["id"].clone();
    let mut events = Vec::new();
    if is_first {
        events.push(("response.output_item.added", json!({"output_index": 0, "item": item})));
        let begun = json!({"output_index": 0, "item_id": id, "content_index": 0, "part": part("")});
        events.push(("response.content_part.added", begun));
    }
    let delta = json!({"output_index": 0, "item_id": id, "content_index": 0, "delta": text, "logprobs": []});
    events.push(("response.output_text.delta", delta));
    events
}

fn end(answer: &Answer<'_>, told: &str) -> Vec<Event> {
    let mut events = Vec::new();
    for (index, item) in output(answer).into_iter().enumerate() {
        let at = json!({"output_index": index, "item_id": item["id"]});
        let with = |more: Value| {
            let mut value = at.clone();
            more.as_object().into_iter().flatten().for_each(|(key, own)| value[key] = own.clone());
            value
        };
        if item["type"] == "message" {
            let (part, rest) = (&item["content"][0], rest(answer, told));
            if told.is_empty() || !rest.is_empty() {
                events.extend(say(&answer.about, rest, told.is_empty()));
            }
            let done = json!({"content_index": 0, "text": part["text"], "logprobs": []});
            events.push(("response.output_text.done", with(done)));
            events.push(("response.content_part.done", with(json!({"content_index": 0, "part": part}))));
        } else {
            let mut begun = item.clone();
            (begun["arguments"], begun["status"]) = (json!(""), json!("in_progress"));
            events.push(("response.output_item.added", with(json!({"item": begun}))));
            events.push(("response.function_call_arguments.delta", with(json!({"delta": item["arguments"]}))));
            events.push(("response.function_call_arguments.done", with(json!({"arguments": item["arguments"]}))));
        }
        events.push(("response.output_item.done", with(json!({"item": item}))));
    }
    let last = if answer.turn.sampled.is_cut { "response.incomplete" } else { "response.completed" };
    events.push((last, json!({"response": self::answer(answer)})));
    events
}

fn broken(reason: &str) -> Vec<Event> {
    vec![("error", json!({"code": "server_error", "message": reason, "param": null}))]
}

fn write((kind, mut data): Event, number: usize) -> (Option<&'static str>, String) {
    (data["type"], data["sequence_number"]) = (json!(kind), json!(number));
    (Some(kind), data.to_string())
}
