//! From the last layer's output to losses and their gradients, a few rows at a time, so that the logits of all positions never exist together.

use super::super::super::{ForwardBackward, Loss};
use super::super::math::softmax::Softmax;
use super::super::math::{norm, vector};
use super::super::model::weights::{Matrices, Model};
use super::gradient::Gradient;
use super::tape::sized;
use super::target::Target;

/// Rows whose logits exist at the same time.
const ROWS: usize = 64;

/// Buffers of this step.
#[derive(Default)]
pub(crate) struct Scratch {
    normed: Vec<f32>,
    scales: Vec<f32>,
    logits: Vec<f32>,
    grad_normed: Vec<f32>,
    /// For each target of a row its logit, then minus the derivative of its loss by its log-probability.
    pulls: Vec<f32>,
    /// Gradient of the last layer's output.
    pub(crate) grad: Vec<f32>,
}

/// Log-probabilities of the targets.
pub(crate) fn score(
    model: &Model,
    matrices: &Matrices,
    last: &[f32],
    targets: &[Target],
    scratch: &mut Scratch,
) -> Vec<f32> {
    final_norm(model, last, scratch);
    let (width, vocab) = (model.config.hidden_size, model.config.vocab_size);
    let mut logprobs = Vec::with_capacity(targets.len());
    let mut by_row = targets.chunk_by(|a, b| a.row == b.row);
    for normed in scratch.normed.chunks(ROWS * width) {
        let logits = sized(&mut scratch.logits, normed.len() / width * vocab);
        matrices.head.set(normed, logits);
        // The rows come first: `zip` takes from its first iterator also when the second has ended.
        for (logits, targets) in logits.chunks_exact_mut(vocab).zip(by_row.by_ref()) {
            let first = logprobs.len();
            logprobs.extend(targets.iter().map(|target| logits[target.id as usize]));
            let log_sum = Softmax::of(logits).log_sum;
            logprobs[first..].iter_mut().for_each(|logprob| *logprob -= log_sum);
        }
    }
    logprobs
}

/// Adds the loss to `seen` and its gradient to `gradient`; `scratch.grad` is the gradient of `last`.
pub(crate) fn backward(
    model: &Model,
    [forward, backward]: [&Matrices; 2],
    (last, targets): (&[f32], &[Target]),
    loss: Loss,
    gradient: &mut Gradient,
    scratch: &mut Scratch,
    seen: &mut ForwardBackward,
) {
    final_norm(model, last, scratch);
    let (width, vocab) = (model.config.hidden_size, model.config.vocab_size);
    let grad_normed = sized(&mut scratch.grad_normed, last.len()).chunks_mut(ROWS * width);
    let mut by_row = targets.chunk_by(|a, b| a.row == b.row);
    for (normed, grad_normed) in scratch.normed.chunks(ROWS * width).zip(grad_normed) {
        let logits = sized(&mut scratch.logits, normed.len() / width * vocab);
        forward.head.set(normed, logits);
        // The rows come first: `zip` takes from its first iterator also when the second has ended.
        for (logits, targets) in logits.chunks_exact_mut(vocab).zip(by_row.by_ref()) {
            to_gradient(targets, logits, loss, &mut scratch.pulls, seen);
        }
        backward.head.set(logits, grad_normed);
        // The matrix has one row per id: its gradient is that of a product from ids to the hidden width.
        gradient.matrix(model.layout.head, logits, normed);
    }
    let norm = model.layout.final_norm.clone();
    let grad = sized(&mut scratch.grad, last.len());
    grad.fill(0.0);
    let weight = &model.values[norm.clone()];
    norm::backward(&scratch.grad_normed, last, weight, &scratch.scales, grad, gradient.vector(&norm));
}

fn final_norm(model: &Model, last: &[f32], scratch: &mut Scratch) {
    let normed = sized(&mut scratch.normed, last.len());
    let scales = sized(&mut scratch.scales, last.len() / model.config.hidden_size);
    norm::forward(last, &model.values[model.layout.final_norm.clone()], model.config.rms_norm_eps, normed, scales);
}

/// Replaces the logits of a row by their gradient; several sequences may predict something there.
fn to_gradient(targets: &[Target], logits: &mut [f32], loss: Loss, pulls: &mut Vec<f32>, seen: &mut ForwardBackward) {
    pulls.clear();
    pulls.extend(targets.iter().map(|target| logits[target.id as usize]));
    let softmax = Softmax::of(logits);
    for (target, pull) in targets.iter().zip(pulls.iter_mut()) {
        let sample = target.sample(*pull - softmax.log_sum);
        *pull = seen.add_target(loss, sample, target.weight, softmax.entropy);
    }
    vector::scale(logits, pulls.iter().sum::<f32>() / softmax.sum);
    for (target, pull) in targets.iter().zip(pulls) {
        logits[target.id as usize] -= *pull;
    }
}
