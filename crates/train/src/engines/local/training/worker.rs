//! One thread of training: its activations and its gradient.

use super::super::super::{ForwardBackward, Loss};
use super::super::clock::{Work, time};
use super::super::model::adapters::Adapters;
use super::super::model::weights::{Matrices, Model};
use super::forward::Forward;
use super::gradient::{self, Gradient};
use super::plan::MicroBatch;
use super::tape::{Keep, Tape};
use super::{attention, backward, loss};

/// Buffers of one thread, kept between calls.
#[derive(Default)]
pub(crate) struct Worker {
    tape: Tape,
    attention: attention::Scratch,
    backward: backward::Scratch,
    loss: loss::Scratch,
    gradient_scratch: gradient::Scratch,
    /// The accumulated gradient of what is trained; empty until the first backward pass.
    pub(crate) gradient: Vec<f32>,
}

/// What is trained, and how.
#[derive(Clone, Copy)]
pub(crate) struct Training<'a> {
    pub(crate) model: &'a Model,
    pub(crate) adapters: Option<&'a Adapters>,
    pub(crate) forward: &'a Matrices,
    pub(crate) backward: &'a Matrices,
    pub(crate) loss: Loss,
    pub(crate) keep: Keep,
}

impl Worker {
    /// Adds the gradient of the loss over these micro-batches.
    pub(crate) fn train(&mut self, training: Training, batches: &[MicroBatch]) -> ForwardBackward {
        let Training { model, adapters, keep, .. } = training;
        self.gradient.resize(adapters.map_or(model.layout.total, |adapters| adapters.values.len()), 0.0);
        let mut seen = ForwardBackward::default();
        for batch in batches {
            let forward = Forward { model, matrices: training.forward, batch };
            forward.run(&mut self.tape, keep, &mut self.attention);
            let mut gradient = Gradient { adapters, values: &mut self.gradient, scratch: &mut self.gradient_scratch };
            let outputs = (&self.tape.last[..], &batch.targets[..]);
            let matrices = [training.forward, training.backward];
            time(Work::CrossEntropy, || {
                loss::backward(model, matrices, outputs, training.loss, &mut gradient, &mut self.loss, &mut seen);
            });
            let pass = backward::Backward {
                model,
                matrices: training.backward,
                batch,
                gradient,
                scratch: &mut self.backward,
                attention: &mut self.attention,
            };
            pass.run(forward, &mut self.tape, keep, &mut self.loss.grad);
        }
        seen
    }

    /// Log-probabilities of the targets of these micro-batches.
    pub(crate) fn score(&mut self, model: &Model, matrices: &Matrices, batches: &[MicroBatch]) -> Vec<Vec<f32>> {
        let mut score = |batch: &MicroBatch| {
            Forward { model, matrices, batch }.run(&mut self.tape, Keep::Inputs, &mut self.attention);
            let (last, targets) = (&self.tape.last, &batch.targets);
            time(Work::CrossEntropy, || loss::score(model, matrices, last, targets, &mut self.loss))
        };
        batches.iter().map(&mut score).collect()
    }
}
