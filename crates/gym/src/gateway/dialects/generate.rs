//! `/inference/v1/generate`: ids in, ids out, as vLLM has it.

use serde_json::{Value, json};

use super::sampling;
use crate::gateway::upstream::{Sampled, Sampling};

/// Where it is spoken.
pub(in crate::gateway) const PATH: &str = "/inference/v1/generate";

/// The prompt and how to sample.
pub(in crate::gateway) fn parse(body: &Value) -> Result<(Vec<u32>, Sampling), String> {
    let given = body["token_ids"].as_array().ok_or("`token_ids` is missing, expected a list of numbers")?;
    let id = |(at, id): (usize, &Value)| {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| format!("`token_ids[{at}]` is no id"))
    };
    let ids: Vec<u32> = given.iter().enumerate().map(id).collect::<Result<_, _>>()?;
    match ids.is_empty() {
        true => Err("`token_ids` is empty; there is nothing to continue".to_owned()),
        false => Ok((ids, sampling(&body["sampling_params"], &["max_tokens"])?)),
    }
}

/// The answer.
pub(in crate::gateway) fn answer(id: &str, prompt: &[u32], sampled: &Sampled) -> Value {
    let token = |(id, logprob): (&u32, &f32)| json!({"token": format!("token_id:{id}"), "logprob": logprob, "top_logprobs": []});
    let content: Vec<Value> = sampled.ids.iter().zip(&sampled.logprobs).map(token).collect();
    let (input, output) = (prompt.len(), sampled.ids.len());
    let finish = if sampled.is_cut { "length" } else { "stop" };
    json!({"request_id": id, "prompt_token_ids": prompt,
        "choices": [{"index": 0, "token_ids": sampled.ids, "finish_reason": finish, "logprobs": {"content": content}}],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}})
}

/// How an upstream of this protocol is asked.
pub(in crate::gateway) fn request(model: &str, ids: &[u32], sampling: &Sampling) -> Value {
    let mut parameters = json!({"logprobs": 1, "skip_special_tokens": false});
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            parameters[name] = value;
        }
    };
    set("max_tokens", sampling.max_tokens.map(|it| json!(it)));
    set("temperature", sampling.temperature.map(|it| json!(it)));
    set("top_p", sampling.top_p.map(|it| json!(it)));
    set("seed", sampling.seed.map(|it| json!(it)));
    set("stop_token_ids", (!sampling.stop_ids.is_empty()).then(|| json!(sampling.stop_ids)));
    json!({"model": model, "token_ids": ids, "sampling_params": parameters})
}

/// Reads an answer: as many log-probabilities as ids, each for its id, all of them numbers.
pub(in crate::gateway) fn sampled(body: &Value) -> Result<Sampled, String> {
    let choice = &body["choices"][0];
    let ids = choice["token_ids"].as_array().ok_or("`choices[0].token_ids` is missing")?;
    let ids: Vec<u32> = ids
        .iter()
        .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
        .collect::<Option<_>>()
        .ok_or("`choices[0].token_ids` has something that is no id")?;
    let content = choice["logprobs"]["content"].as_array().ok_or("`choices[0].logprobs.content` is missing")?;
    if content.len() != ids.len() {
        return Err(format!("`choices[0]` has {} ids and {} log-probabilities", ids.len(), content.len()));
    }
    let mut logprobs = Vec::with_capacity(ids.len());
    for (id, own) in ids.iter().zip(content) {
        let labelled = own["token"].as_str().and_then(|token| token.strip_prefix("token_id:"));
        if labelled.is_some_and(|label| label != id.to_string()) {
            return Err(format!("the log-probability of id {id} is labelled {}", own["token"]));
        }
        // Servers write -9999 where they have none.
        let logprob = own["logprob"].as_f64().filter(|it| it.is_finite() && *it > -9999.0);
        logprobs.push(logprob.ok_or_else(|| format!("the log-probability of id {id} is {}", own["logprob"]))? as f32);
    }
    Ok(Sampled { ids, logprobs, is_cut: choice["finish_reason"] == "length", version: 0 })
}
