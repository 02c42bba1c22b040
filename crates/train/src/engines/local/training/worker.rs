//! One thread of training: its activations and its gradient.

use super::super::super::{ForwardBackward, Loss};
use super::super::model::weights::{Matrices, Model};
use super::plan::MicroBatch;
use super::tape::Tape;
use super::{attention, backward, forward, loss};

/// Buffers of one thread, kept between calls.
#[derive(Default)]
pub(crate) struct Worker {
    tape: Tape,
    attention: attention::Scratch,
    backward: backward::Scratch,
    loss: loss::Scratch,
    /// The accumulated gradient; empty until the first backward pass.
    pub(crate) gradient: Vec<f32>,
}

impl Worker {
    /// Adds the gradient of the loss over these micro-batches.
    pub(crate) fn train(
        &mut self,
        model: &Model,
        matrices: [&Matrices; 2],
        batches: &[MicroBatch],
        loss: Loss,
    ) -> ForwardBackward {
        let [forward, backward] = matrices;
        self.gradient.resize(model.layout.total, 0.0);
        let mut seen = ForwardBackward::default();
        for batch in batches {
            forward::forward(model, forward, batch, &mut self.tape, &mut self.attention);
            let outputs = (&self.tape.last[..], &batch.targets[..]);
            loss::backward(model, matrices, outputs, loss, &mut self.gradient, &mut self.loss, &mut seen);
            let pass = backward::Backward {
                model,
                matrices: backward,
                batch,
                gradient: &mut self.gradient,
                scratch: &mut self.backward,
                attention: &mut self.attention,
            };
            pass.run(&self.tape, &mut self.loss.grad);
        }
        seen
    }

    /// Log-probabilities of the targets of these micro-batches.
    pub(crate) fn score(&mut self, model: &Model, matrices: &Matrices, batches: &[MicroBatch]) -> Vec<Vec<f32>> {
        let mut score = |batch: &MicroBatch| {
            forward::forward(model, matrices, batch, &mut self.tape, &mut self.attention);
            loss::score(model, matrices, &self.tape.last, &batch.targets, &mut self.loss)
        };
        batches.iter().map(&mut score).collect()
    }
}
