//! How a server reduces its losses: the hosted service sums over tokens, others take means. Found out by a probe, because what is trained
//! on must not depend on it.

use std::collections::BTreeMap;

use super::proto::{Datum, Tensor};

/// What a server makes of the losses of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their sum over all sequences.
    Sum,
    /// The mean over sequences of their weighted mean in each.
    SequenceMean,
}

impl Reduction {
    /// From the norms of the gradients of one sequence, and of the same one twice.
    pub(super) fn of_norms(once: f64, twice: f64) -> Self {
        if twice > 1.5 * once { Self::Sum } else { Self::SequenceMean }
    }
}

/// A short sequence to probe with.
pub(super) fn probe(vocab: usize) -> Datum {
    let id = |at: usize| (at % vocab.max(1)) as u32;
    let tokens: Vec<u32> = (1..5).map(id).collect();
    let targets = (2..6).map(|at| i64::from(id(at))).collect();
    let inputs = [("target_tokens", Tensor::Integers(targets)), ("weights", Tensor::Floats(vec![1.0; 4]))];
    Datum { tokens, inputs: inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect() }
}

/// The norm of a gradient, whatever the server calls it.
pub(super) fn grad_norm(metrics: &BTreeMap<String, f64>) -> Option<f64> {
    metrics.iter().find(|(name, _)| name.contains("grad_norm")).map(|(_, value)| *value)
}
