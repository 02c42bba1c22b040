//! One micro-batch forwards and backwards. Gradients are collected in the tensors that are trained.
//!
//! A backward pass that keeps everything goes through all layers at once. One that computes again keeps what goes into each layer, and goes
//! through one at a time.

use tch::{Kind, Tensor};

use super::super::local::Config;
use super::super::{EngineError, ForwardBackward, Loss};
use super::batches::Batch;
use super::decoder::Decoder;
use super::device::{indices, size, without_gradients};
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

impl Passes<'_> {
    /// Log-probabilities of the targets of a micro-batch.
    pub(super) fn score(self, weights: Weights, batch: &Batch) -> Result<Vec<f32>, EngineError> {
        without_gradients(|| {
            let last = self.all_layers(&self.decoder(batch), weights, batch);
            Head::new(self, weights).score(&flat(&last), &batch.targets)
        })
    }

    /// Adds the loss of a micro-batch to `seen`, and its gradient to what is collected in `weights`.
    pub(super) fn train(
        self,
        weights: Weights,
        (batch, loss): (&Batch, Loss),
        seen: &mut ForwardBackward,
    ) -> Result<(), EngineError> {
        let (decoder, wanted) = (self.decoder(batch), (&batch.targets[..], loss));
        if !self.recompute {
            let last = self.all_layers(&decoder, weights, batch);
            let grad = head::backward((self, weights), &flat(&last.detach()), wanted, seen)?;
            backward(&last, &grad);
            return Ok(());
        }
        let mut inputs = without_gradients(|| {
            let mut inputs = vec![self.embed(weights, batch)];
            for number in 0..self.recipe.layers() {
                inputs.push(self.layer(&decoder, weights, number, &inputs[number]));
            }
            inputs
        });
        let last = inputs.pop().expect("there is one more than layers");
        let mut grad = head::backward((self, weights), &flat(&last), wanted, seen)?;
        for (number, input) in inputs.into_iter().enumerate().rev() {
            let input = input.set_requires_grad(true);
            backward(&self.layer(&decoder, weights, number, &input), &grad);
            grad = flat(&input.grad());
        }
        backward(&self.embed(weights, batch), &grad);
        Ok(())
    }

    fn decoder(&self, batch: &Batch) -> Decoder<'_> {
        Decoder { config: self.config, products: self.recipe.products, frame: self.angles.aligned(batch.length) }
    }

    fn embed(&self, weights: Weights, batch: &Batch) -> Tensor {
        embed(&self.recipe.embedding(weights), batch.ids.iter().copied(), batch.sequences)
    }

    fn all_layers(&self, decoder: &Decoder, weights: Weights, batch: &Batch) -> Tensor {
        let embedded = self.embed(weights, batch);
        (0..self.recipe.layers()).fold(embedded, |residual, number| self.layer(decoder, weights, number, &residual))
    }

    fn layer(&self, decoder: &Decoder, weights: Weights, number: usize, residual: &Tensor) -> Tensor {
        decoder.layer(&self.recipe.layer(weights, number), residual, |keys_values| keys_values)
    }
}

/// The rows of an embedding for the ids of so many sequences.
pub(super) fn embed(embedding: &Tensor, ids: impl Iterator<Item = u32>, sequences: usize) -> Tensor {
    let ids = indices(ids.map(|id| id as usize), embedding.device());
    Tensor::embedding(embedding, &ids.view([size(sequences), -1]), -1, false, false)
}

/// Collects the gradient of what `output` was computed from; nothing of it may be trained.
fn backward(output: &Tensor, grad: &Tensor) {
    if output.requires_grad() {
        // A sum whose gradient by `output` is `grad`.
        (flat(output) * grad).sum(Kind::Float).backward();
    }
}

/// Rows of all sequences one after the other.
fn flat(rows: &Tensor) -> Tensor {
    rows.flatten(0, 1)
}
