//! From the last layer's output to losses and their gradients, some rows at a time, so that the logits of all positions never exist together.

use burn_tensor::activation::log_softmax;
use burn_tensor::{Int, Tensor};

use super::super::local::training::target::Target;
use super::super::{EngineError, ForwardBackward, Loss};
use super::decoder::norm;
use super::device::{indices, matrix, read};
use super::products::Factor;
use super::training::{Gradient, Passes};
use super::weights::Weights;

/// The norm after the last layer, and the matrix from there to logits.
pub(super) struct Head<'a> {
    passes: Passes<'a>,
    norm: Tensor<2>,
    matrix: Factor<2>,
}

impl<'a> Head<'a> {
    pub(super) fn new(passes: Passes<'a>, weights: Weights) -> Head<'a> {
        Head { passes, norm: passes.recipe.final_norm(weights), matrix: passes.recipe.head(weights) }
    }

    /// Logits of rows.
    pub(super) fn logits(&self, rows: Tensor<2>) -> Tensor<2> {
        let Passes { config, recipe, .. } = self.passes;
        recipe.products.apply(norm(rows, &self.norm, config.rms_norm_eps), &self.matrix)
    }

    /// Logarithms of the probabilities of all ids, and of the targets, one for each row.
    fn logprobs(&self, rows: Tensor<2>, targets: &[Target]) -> [Tensor<2>; 2] {
        let device = rows.device();
        let ids: Tensor<2, Int> = indices(targets.iter().map(|target| target.id as usize), &device).unsqueeze_dim(1);
        let all = log_softmax(self.logits(rows), 1);
        [all.clone(), all.gather(1, ids)]
    }

    /// Log-probabilities of the targets, whose rows are those of `last`.
    pub(super) fn score(&self, last: &Tensor<2>, targets: &[Target]) -> Result<Vec<f32>, EngineError> {
        let mut scores = Vec::with_capacity(targets.len());
        for targets in pieces(self.passes, targets) {
            let [_, chosen] = self.logprobs(pick(last, targets), targets);
            scores.extend(read(chosen)?);
        }
        Ok(scores)
    }
}

/// Adds the loss to `seen` and the gradient of what the head has to `gradient`; gives the gradient of `last`.
///
/// Losses are those of the host: log-probabilities go there, and what each pulls comes back as the weights of their sum, which has the gradient
/// of the loss.
pub(super) fn backward(
    (passes, weights): (Passes, Weights),
    last: &Tensor<2>,
    (targets, loss): (&[Target], Loss),
    gradient: &mut Gradient,
    seen: &mut ForwardBackward,
) -> Result<Tensor<2>, EngineError> {
    let device = last.device();
    let mut grads = Vec::new();
    for targets in pieces(passes, targets) {
        // A new one each time: a gradient goes through what it is made of once.
        let head = Head::new(passes, weights);
        let rows = pick(last, targets).autodiff().require_grad();
        let [all, chosen] = head.logprobs(rows.clone(), targets);
        let all = all.inner();
        let entropies = read((all.clone().exp() * all).sum_dim(1))?;
        let logprobs = read(chosen.clone().inner())?;
        let each = targets.iter().zip(logprobs).zip(entropies);
        let pulls: Vec<f32> = each
            .map(|((target, logprob), minus)| seen.add_target(loss, target.sample(logprob), target.weight, -minus))
            .collect();
        let pulls = matrix(pulls, [targets.len(), 1], &device);
        let mut found = (chosen * pulls).sum().neg().backward();
        grads.push(rows.grad_remove(&mut found).expect("the logits depend on the rows"));
        gradient.add(&mut found);
    }
    let rows = indices(targets.iter().map(|target| target.row), &device);
    Ok(last.zeros_like().select_assign(0, rows, Tensor::cat(grads, 0), burn_tensor::IndexingUpdateOp::Add))
}

fn pieces<'t>(passes: Passes, targets: &'t [Target]) -> impl Iterator<Item = &'t [Target]> {
    targets.chunks((passes.limits.logits / passes.config.vocab_size).max(1))
}

fn pick(last: &Tensor<2>, targets: &[Target]) -> Tensor<2> {
    last.clone().select(0, indices(targets.iter().map(|target| target.row), &last.device()))
}
