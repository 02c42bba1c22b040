//! The backward pass over a micro-batch: adds to the gradient of every parameter.

use std::ops::Range;

use super::super::clock::{Work, time};
use super::super::math::{feed_forward, norm, rope};
use super::super::model::weights::{Matrices, Model};
use super::attention::{self, Gradients, Inputs};
use super::forward::Forward;
use super::gradient::Gradient;
use super::plan::MicroBatch;
use super::tape::{Keep, LayerTape, Tape, sized, spread};

/// Gradients of activations of one layer.
#[derive(Default)]
pub(crate) struct Scratch {
    residual: Vec<f32>,
    normed: Vec<f32>,
    gated: Vec<f32>,
    gate_up: Vec<f32>,
    context: Vec<f32>,
    picked_context: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    qkv: Vec<f32>,
}

/// What all steps of the pass read and add to.
pub(crate) struct Backward<'a> {
    pub(crate) model: &'a Model,
    pub(crate) matrices: &'a Matrices,
    pub(crate) batch: &'a MicroBatch,
    pub(crate) gradient: Gradient<'a>,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) attention: &'a mut attention::Scratch,
}

impl Backward<'_> {
    /// Runs all layers; `residual` is the gradient of the last one's output for rows with targets. What the tape lacks is computed again.
    pub(crate) fn run(mut self, forward: Forward, tape: &mut Tape, keep: Keep, residual: &mut Vec<f32>) {
        std::mem::swap(&mut self.scratch.residual, residual);
        let (layers, width) = (self.model.layout.layers.len(), self.model.config.hidden_size);
        for layer in (0..layers).rev() {
            if keep == Keep::Inputs && layer + 1 < layers {
                let (input, current, _) = tape.layer(layer);
                forward.layer(layer, input, current, self.attention);
            }
            let (input, current) = (&tape.inputs[layer][..], tape.kept(layer));
            self.feed(layer, current);
            self.output(layer, input, current);
            self.attend(layer, input, current);
        }
        for (row, &id) in self.scratch.residual.chunks_exact(width).zip(&self.batch.ids) {
            self.gradient.row(self.model.layout.embedding, id as usize, row);
        }
        std::mem::swap(&mut self.scratch.residual, residual);
    }

    /// From the gradient of the layer's output to that of its middle.
    fn feed(&mut self, layer: usize, tape: &LayerTape) {
        let (layout, matrices) = (&self.model.layout.layers[layer], &self.matrices.layers[layer]);
        let width = self.model.config.intermediate_size;
        let scratch = &mut *self.scratch;
        let gated = sized(&mut scratch.gated, tape.gated.len());
        matrices.down.set(&scratch.residual, gated);
        self.gradient.matrix(layout.down, &tape.gated, &scratch.residual);
        let gate_up = sized(&mut scratch.gate_up, tape.gate_up.len());
        feed_forward::backward(gated, &tape.gate_up, width, gate_up);
        let normed = sized(&mut scratch.normed, tape.middle.len());
        matrices.gate_up.set(gate_up, normed);
        self.gradient.matrix(layout.gate_up, &tape.normed_middle, gate_up);
        self.norm(&layout.feed_norm, &tape.middle, &tape.middle_scales);
    }

    /// To the gradient of the context, and, in the last layer, from rows with targets to all rows.
    fn output(&mut self, layer: usize, input: &[f32], tape: &LayerTape) {
        let (layout, matrices) = (&self.model.layout.layers[layer], &self.matrices.layers[layer]);
        let scratch = &mut *self.scratch;
        let context = sized(&mut scratch.context, tape.context.len());
        if layer + 1 < self.model.layout.layers.len() {
            matrices.output.set(&scratch.residual, context);
            self.gradient.matrix(layout.output, &tape.context, &scratch.residual);
            return;
        }
        let picked = sized(&mut scratch.picked_context, tape.picked_context.len());
        matrices.output.set(&scratch.residual, picked);
        self.gradient.matrix(layout.output, &tape.picked_context, &scratch.residual);
        let rows = || self.batch.rows.iter().copied();
        spread(picked, rows(), self.model.config.query_width(), context);
        let picked = std::mem::take(&mut scratch.residual);
        let residual = sized(&mut scratch.residual, input.len());
        spread(&picked, rows(), self.model.config.hidden_size, residual);
    }

    /// From the gradient of the context to that of the layer's input.
    fn attend(&mut self, layer: usize, input: &[f32], tape: &LayerTape) {
        let (model, batch, layout) = (self.model, self.batch, &self.model.layout.layers[layer]);
        let scratch = &mut *self.scratch;
        let inputs = Inputs {
            config: &model.config,
            segments: &batch.segments,
            queries: &tape.queries,
            keys: &tape.keys,
            qkv: &tape.qkv,
        };
        let qkv = sized(&mut scratch.qkv, tape.qkv.len());
        qkv.fill(0.0);
        let keys = sized(&mut scratch.keys, tape.keys.len());
        keys.fill(0.0);
        let queries = sized(&mut scratch.queries, tape.queries.len());
        let gradients = Gradients {
            context: &tape.context,
            log_sums: &tape.log_sums,
            grad_context: &scratch.context,
            grad_queries: queries,
            grad_keys: keys,
            grad_qkv: qkv,
        };
        time(Work::Attention, || inputs.backward(gradients, self.attention));
        let mut unrotate = |grad: &mut [f32], heads, norm: &Range<usize>, scales| {
            let (weight, grad_weight) = (&model.values[norm.clone()], self.gradient.vector(norm));
            rope::backward(grad, &tape.qkv, heads, &batch.positions, &model.angles, weight, scales, qkv, grad_weight);
        };
        unrotate(queries, model.query_heads(), &layout.query_norm, &tape.query_scales);
        unrotate(keys, model.key_heads(), &layout.key_norm, &tape.key_scales);
        let normed = sized(&mut scratch.normed, input.len());
        self.matrices.layers[layer].qkv.set(qkv, normed);
        self.gradient.matrix(layout.qkv, &tape.normed_input, qkv);
        self.norm(&layout.input_norm, input, &tape.input_scales);
    }

    /// Adds to the residual gradient what comes through a norm.
    fn norm(&mut self, norm: &Range<usize>, x: &[f32], scales: &[f32]) {
        let Scratch { residual, normed, .. } = &mut *self.scratch;
        let weight = &self.model.values[norm.clone()];
        norm::backward(normed, x, weight, scales, residual, self.gradient.vector(norm));
    }
}
