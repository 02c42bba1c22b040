//! One request while it is served.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::super::{EngineError, SampleRequest, Sampled};
use super::super::config::Config;
use super::cache::Cache;
use super::choose::Choice;

/// A request, what was sampled so far, and its cache.
pub(crate) struct Sequence {
    pub(crate) request: SampleRequest,
    /// Prompt and sampled ids; all but the last few are in the cache.
    pub(crate) ids: Vec<u32>,
    pub(crate) cache: Cache,
    logprobs: Vec<f32>,
    random: ChaCha8Rng,
}

impl Sequence {
    pub(crate) fn new(mut request: SampleRequest, cache: Cache) -> Sequence {
        let random = ChaCha8Rng::seed_from_u64(request.seed);
        Sequence { ids: std::mem::take(&mut request.prompt), cache, logprobs: Vec::new(), random, request }
    }

    /// Ids whose keys and values are missing; more than one while the prompt is being read.
    pub(crate) fn pending(&self) -> usize {
        self.ids.len() - self.cache.ids.len()
    }

    /// A number from 0 to below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Appends what was sampled; says whether that was the last.
    pub(crate) fn push(&mut self, choice: Choice, context: usize) -> bool {
        self.ids.push(choice.id);
        self.logprobs.push(choice.logprob);
        self.stopped() || self.logprobs.len() >= self.request.max_tokens || self.ids.len() >= context
    }

    /// The result, and the cache.
    pub(crate) fn finish(mut self) -> (Sampled, Cache) {
        let stopped = self.stopped();
        let tokens = self.ids.split_off(self.ids.len() - self.logprobs.len());
        (Sampled { tokens, logprobs: self.logprobs, stopped }, self.cache)
    }

    fn stopped(&self) -> bool {
        !self.logprobs.is_empty() && self.ids.last().is_some_and(|id| self.request.stop.contains(id))
    }
}

/// Says why a request cannot be served, if so.
pub(crate) fn check(request: &SampleRequest, config: &Config) -> Result<(), EngineError> {
    let invalid = |reason: String| Err(EngineError::Invalid { reason: format!("request {}: {reason}", request.id) });
    if request.prompt.is_empty() {
        return invalid("the prompt is empty, expected at least one id".to_owned());
    }
    if !(request.temperature >= 0.0 && request.temperature.is_finite()) {
        return invalid(format!("the temperature is {}, expected 0 or more", request.temperature));
    }
    match request.prompt.iter().find(|&&id| id as usize >= config.vocab_size) {
        Some(id) => invalid(format!("id {id} is outside the vocabulary of {}", config.vocab_size)),
        None => Ok(()),
    }
}
