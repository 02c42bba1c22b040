//! From the last layer's output to losses and their gradients, some rows at a time, so that the logits of all positions never exist together.

use tch::{Kind, Tensor};

use super::super::local::training::target::Target;
use super::super::{EngineError, ForwardBackward, Loss};
use super::decoder::norm;
use super::device::{indices, matrix, read};
use super::training::Passes;
use super::weights::Weights;

/// The norm after the last layer, and the matrix from there to logits.
pub(super) struct Head<'a> {
    passes: Passes<'a>,
    norm: Tensor,
    matrix: Tensor,
}

impl<'a> Head<'a> {
    pub(super) fn new(passes: Passes<'a>, weights: Weights) -> Head<'a> {
        Head { passes, norm: passes.recipe.final_norm(weights), matrix: passes.recipe.head(weights) }
    }

    /// Logits of rows.
    pub(super) fn logits(&self, rows: &Tensor) -> Tensor {
        let Passes { config, recipe, .. } = self.passes;
        recipe.products.apply(&norm(rows, &self.norm, config.rms_norm_eps), &self.matrix)
    }

    /// Logarithms of the probabilities of all ids, and of the targets, one for each row.
    fn logprobs(&self, rows: &Tensor, targets: &[Target]) -> [Tensor; 2] {
        let ids = indices(targets.iter().map(|target| target.id as usize), rows.device());
        let all = self.logits(rows).log_softmax(-1, Kind::Float);
        let chosen = all.gather(1, &ids.unsqueeze(1), false);
        [all, chosen]
    }

    /// Log-probabilities of the targets, whose rows are those of `last`.
    pub(super) fn score(&self, last: &Tensor, targets: &[Target]) -> Result<Vec<f32>, EngineError> {
        let mut scores = Vec::with_capacity(targets.len());
        for targets in pieces(self.passes, targets) {
            let [_, chosen] = self.logprobs(&pick(last, targets), targets);
            scores.extend(read(&chosen)?);
        }
        Ok(scores)
    }
}

/// Adds the loss to `seen`, and the gradient of what the head has to what is collected; gives the gradient of `last`.
///
/// Losses are those of the host: log-probabilities go there, and what each pulls comes back as the weights of their sum, which has the gradient
/// of the loss.
pub(super) fn backward(
    (passes, weights): (Passes, Weights),
    last: &Tensor,
    (targets, loss): (&[Target], Loss),
    seen: &mut ForwardBackward,
) -> Result<Tensor, EngineError> {
    let device = last.device();
    let mut grads = Vec::new();
    for targets in pieces(passes, targets) {
        // A new one each time: a gradient goes through what it is made of once.
        let head = Head::new(passes, weights);
        let rows = pick(last, targets).set_requires_grad(true);
        let [all, chosen] = head.logprobs(&rows, targets);
        let all = all.detach();
        let entropies = read(&(all.exp() * &all).sum_dim_intlist([1].as_slice(), false, Kind::Float))?;
        let logprobs = read(&chosen)?;
        let each = targets.iter().zip(logprobs).zip(entropies);
        let pulls: Vec<f32> = each
            .map(|((target, logprob), minus)| seen.add_target(loss, target.sample(logprob), target.weight, -minus))
            .collect();
        (chosen * matrix(&pulls, [targets.len(), 1], device)).sum(Kind::Float).neg().backward();
        grads.push(rows.grad());
    }
    let rows = indices(targets.iter().map(|target| target.row), device);
    Ok(last.zeros_like().index_add(0, &rows, &Tensor::cat(&grads, 0)))
}

fn pieces<'t>(passes: Passes, targets: &'t [Target]) -> impl Iterator<Item = &'t [Target]> {
    targets.chunks((passes.limits.logits / passes.config.vocab_size).max(1))
}

fn pick(last: &Tensor, targets: &[Target]) -> Tensor {
    last.index_select(0, &indices(targets.iter().map(|target| target.row), last.device()))
}
