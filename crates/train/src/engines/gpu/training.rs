//! One micro-batch forwards and backwards.
//!
//! A backward pass that keeps everything goes through all layers at once. One that computes again keeps what goes into each layer, and goes
//! through one at a time.

use burn_tensor::{Gradients, Tensor};

use super::super::local::Config;
use super::super::{EngineError, ForwardBackward, Loss};
use super::batches::Batch;
use super::decoder::Decoder;
use super::device::indices;
use super::frame::Angles;
use super::head::{self, Head};
use super::limits::Limits;
use super::weights::{Recipe, Weights};

/// What does not change between passes.
#[derive(Clone, Copy)]
pub(super) struct Passes<'a> {
    pub(super) config: &'a Config,
    pub(super) recipe: &'a Recipe,
    pub(super) angles: &'a Angles,
    pub(super) recompute: bool,
    pub(super) limits: Limits,
}

/// The accumulated gradient of what is trained.
pub(super) struct Gradient<'a> {
    /// Tracked.
    pub(super) trained: &'a [Tensor<2>],
    /// Nothing for what no gradient has reached.
    pub(super) values: &'a mut [Option<Tensor<2>>],
}

impl Gradient<'_> {
    /// Adds what a backward pass found.
    pub(super) fn add(&mut self, found: &mut Gradients) {
        for (tensor, value) in self.trained.iter().zip(self.values.iter_mut()) {
            if let Some(new) = tensor.grad_remove(found) {
                *value = Some(match value.take() {
                    Some(value) => value + new,
                    None => new,
                });
            }
        }
    }
}

impl Passes<'_> {
    /// Log-probabilities of the targets of a micro-batch.
    pub(super) fn score(self, weights: Weights, batch: &Batch) -> Result<Vec<f32>, EngineError> {
        let decoder = self.decoder(batch);
        let last = self.all_layers(&decoder, weights, batch);
        Head::new(self, weights).score(&flat(last), &batch.targets)
    }

    /// Adds the loss of a micro-batch to `seen` and its gradient to `gradient`; of `weights`, `tracked` are the same with what is trained
    /// tracked.
    pub(super) fn train(
        self,
        [weights, tracked]: [Weights; 2],
        (batch, loss): (&Batch, Loss),
        gradient: &mut Gradient,
        seen: &mut ForwardBackward,
    ) -> Result<(), EngineError> {
        let (decoder, wanted) = (self.decoder(batch), (&batch.targets[..], loss));
        if !self.recompute {
            let last = self.all_layers(&decoder, tracked, batch);
            let grad = head::backward((self, tracked), &flat(last.clone().inner()), wanted, gradient, seen)?;
            backward(last, grad, gradient);
            return Ok(());
        }
        let mut inputs = vec![self.embed(weights, batch)];
        for number in 0..self.recipe.layers() {
            inputs.push(self.layer(&decoder, weights, number, inputs[number].clone()));
        }
        let last = inputs.pop().expect("there is one more than layers");
        let mut grad = head::backward((self, tracked), &flat(last), wanted, gradient, seen)?;
        for (number, input) in inputs.into_iter().enumerate().rev() {
            let input = input.autodiff().require_grad();
            let output = self.layer(&decoder, tracked, number, input.clone());
            let mut found = surrogate(output, grad).backward();
            grad = flat(input.grad_remove(&mut found).expect("a layer's output depends on its input"));
            gradient.add(&mut found);
        }
        backward(self.embed(tracked, batch), grad, gradient);
        Ok(())
    }

    fn decoder(&self, batch: &Batch) -> Decoder<'_> {
        Decoder { config: self.config, products: self.recipe.products, frame: self.angles.aligned(batch.length) }
    }

    fn embed(&self, weights: Weights, batch: &Batch) -> Tensor<3> {
        let embedding = self.recipe.embedding(weights);
        let ids = indices(batch.ids.iter().map(|&id| id as usize), &embedding.device());
        embedding.select(0, ids).reshape([batch.sequences, batch.length, self.config.hidden_size])
    }

    fn all_layers(&self, decoder: &Decoder, weights: Weights, batch: &Batch) -> Tensor<3> {
        let embedded = self.embed(weights, batch);
        (0..self.recipe.layers()).fold(embedded, |residual, number| self.layer(decoder, weights, number, residual))
    }

    fn layer(&self, decoder: &Decoder, weights: Weights, number: usize, residual: Tensor<3>) -> Tensor<3> {
        decoder.layer(&self.recipe.layer(weights, number), residual, |keys_values| keys_values)
    }
}

/// Adds the gradient of what `output` was computed from; nothing of it may be trained.
fn backward(output: Tensor<3>, grad: Tensor<2>, gradient: &mut Gradient) {
    if output.is_tracked() {
        gradient.add(&mut surrogate(output, grad).backward());
    }
}

/// A sum whose gradient by `output` is `grad`.
fn surrogate(output: Tensor<3>, grad: Tensor<2>) -> Tensor<1> {
    (flat(output) * grad).sum()
}

/// Rows of all sequences one after the other.
fn flat(rows: Tensor<3>) -> Tensor<2> {
    rows.flatten(0, 1)
}
