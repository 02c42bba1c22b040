//! OpenAI responses, with the ids that NeMo Gym looks for.

use serde_json::{Value, json};

use super::{Answer, Asked, Dialect, Event, sampling};
use crate::gateway::conversation::{Call, Message, Speaker, text};
use crate::gateway::session::Session;

/// The line of the registry.
pub(super) const DIALECT: Dialect = Dialect { path: "/v1/responses", parse, answer, events };

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

fn output(answer: &Answer<'_>) -> Vec<Value> {
    let message = &answer.turn.message;
    let said = (!message.text.is_empty() || message.calls.is_empty()).then(|| {
        let content = json!([{"type": "output_text", "text": message.text, "annotations": []}]);
        json!({"type": "message", "id": format!("msg_{}", answer.id), "role": "assistant", "status": "completed",
            "content": content})
    });
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

fn answer(answer: &Answer<'_>) -> Value {
    let (input, output) = answer.turn.usage;
    let is_cut = answer.turn.sampled.is_cut;
    json!({"id": answer.id, "object": "response", "created_at": answer.created, "model": answer.model,
        "status": if is_cut { "incomplete" } else { "completed" },
        "incomplete_details": if is_cut { json!({"reason": "max_output_tokens"}) } else { Value::Null },
        "error": null, "instructions": null, "metadata": {}, "output": self::output(answer), "parallel_tool_calls": true,
        "temperature": answer.asked.sampling.temperature, "tool_choice": "auto", "tools": [],
        "top_p": answer.asked.sampling.top_p,
        "usage": {"input_tokens": input, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output}})
}

fn events(answer: &Answer<'_>) -> Vec<Event> {
    let whole = self::answer(answer);
    let mut begun = whole.clone();
    (begun["status"], begun["output"], begun["usage"]) = (json!("in_progress"), json!([]), Value::Null);
    let mut events = vec![("response.created", json!({"response": begun}))];
    for (index, item) in output(answer).into_iter().enumerate() {
        let at = json!({"output_index": index, "item_id": item["id"]});
        let with = |more: Value| {
            let mut value = at.clone();
            more.as_object().into_iter().flatten().for_each(|(key, own)| value[key] = own.clone());
            value
        };
        events.push(("response.output_item.added", with(json!({"item": item}))));
        if item["type"] == "message" {
            let part = &item["content"][0];
            events.push(("response.content_part.added", with(json!({"content_index": 0, "part": part}))));
            events.push(("response.output_text.delta", with(json!({"content_index": 0, "delta": part["text"]}))));
            events.push(("response.output_text.done", with(json!({"content_index": 0, "text": part["text"]}))));
            events.push(("response.content_part.done", with(json!({"content_index": 0, "part": part}))));
        } else {
            events.push(("response.function_call_arguments.delta", with(json!({"delta": item["arguments"]}))));
            events.push(("response.function_call_arguments.done", with(json!({"arguments": item["arguments"]}))));
        }
        events.push(("response.output_item.done", with(json!({"item": item}))));
    }
    let last = if answer.turn.sampled.is_cut { "response.incomplete" } else { "response.completed" };
    events.push((last, json!({"response": whole})));
    let numbered = |(number, (kind, mut value)): (usize, (&'static str, Value))| {
        (value["type"], value["sequence_number"]) = (json!(kind), json!(number));
        (Some(kind), value.to_string())
    };
    events.into_iter().enumerate().map(numbered).collect()
}
