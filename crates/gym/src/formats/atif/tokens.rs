//! The ids of an episode cut into turns: for each the whole prompt, and what was sampled after it.

use std::ops::Range;

use super::schema::Metrics;
use crate::episode::TokenTrace;

/// The sampled stretches of a trace.
pub(super) fn turns(trace: &TokenTrace) -> Vec<Range<usize>> {
    let mut turns: Vec<Range<usize>> = Vec::new();
    for (at, _) in trace.sampled.iter().enumerate().filter(|(_, sampled)| **sampled) {
        match turns.last_mut() {
            Some(turn) if turn.end == at => turn.end = at + 1,
            _ => turns.push(at..at + 1),
        }
    }
    turns
}

/// What a turn's step says about its tokens.
pub(super) fn metrics(trace: &TokenTrace, turn: &Range<usize>) -> Metrics {
    Metrics {
        prompt_tokens: Some(turn.start as u64),
        completion_tokens: Some(turn.len() as u64),
        prompt_token_ids: Some(trace.ids[..turn.start].to_vec()),
        completion_token_ids: Some(trace.ids[turn.clone()].to_vec()),
        logprobs: Some(trace.logprobs[turn.clone()].to_vec()),
        ..Metrics::default()
    }
}

/// The trace that turns make, each of whose prompts must continue the turn before.
pub(super) fn trace(steps: &[&Metrics], weight_version: u64) -> Result<TokenTrace, String> {
    let mut trace = TokenTrace { weight_version, ..TokenTrace::default() };
    for (number, step) in steps.iter().enumerate() {
        let (Some(prompt), Some(sampled)) = (&step.prompt_token_ids, &step.completion_token_ids) else {
            return Err(format!("`metrics` of agent step {} has no token ids, others have", number + 1));
        };
        let logprobs = step.logprobs.as_deref().unwrap_or_default();
        if logprobs.len() != sampled.len() {
            return Err(format!(
                "`logprobs` of agent step {} are {}, its ids {}",
                number + 1,
                logprobs.len(),
                sampled.len()
            ));
        }
        let Some(new) = prompt.strip_prefix(trace.ids.as_slice()) else {
            return Err(format!("`prompt_token_ids` of agent step {} do not continue the step before", number + 1));
        };
        append(&mut trace, new, None);
        append(&mut trace, sampled, Some(logprobs));
    }
    Ok(trace)
}

/// Adds ids that were not sampled, or that were with these log-probabilities.
pub(super) fn append(trace: &mut TokenTrace, ids: &[u32], logprobs: Option<&[f32]>) {
    trace.ids.extend(ids);
    trace.sampled.extend(std::iter::repeat_n(logprobs.is_some(), ids.len()));
    match logprobs {
        Some(logprobs) => trace.logprobs.extend(logprobs),
        None => trace.logprobs.extend(std::iter::repeat_n(0.0, ids.len())),
    }
}
