//! The backward pass over a micro-batch: adds to the gradient of every parameter.

use std::ops::Range;

use super::super::math::matmul::{Target, View};
use super::super::math::{feed_forward, norm, rope, vector};
use super::super::model::layout::Matrix;
use super::super::model::weights::{Matrices, Model};
use super::attention::{self, Gradients, Inputs};
use super::plan::MicroBatch;
use super::tape::{LayerTape, Tape, sized, spread};

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
    /// Gradient of the parameters, laid out as they are.
    pub(crate) gradient: &'a mut [f32],
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) attention: &'a mut attention::Scratch,
}

impl Backward<'_> {
    /// Runs all layers; `residual` is the gradient of the last one's output for rows with targets.
    pub(crate) fn run(mut self, tape: &Tape, residual: &mut Vec<f32>) {
        std::mem::swap(&mut self.scratch.residual, residual);
        for (layer, current) in tape.layers.iter().enumerate().rev() {
            self.feed(layer, current);
            self.output(layer, current);
            self.attend(layer, current);
        }
        let width = self.model.config.hidden_size;
        let embedding = &mut self.gradient[self.model.layout.embedding.range()];
        for (row, &id) in self.scratch.residual.chunks_exact(width).zip(&self.batch.ids) {
            vector::add(&mut embedding[id as usize * width..][..width], row);
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
        add_outer(self.gradient, layout.down, &tape.gated, &scratch.residual);
        let gate_up = sized(&mut scratch.gate_up, tape.gate_up.len());
        feed_forward::backward(gated, &tape.gate_up, width, gate_up);
        let normed = sized(&mut scratch.normed, tape.middle.len());
        matrices.gate_up.set(gate_up, normed);
        add_outer(self.gradient, layout.gate_up, &tape.normed_middle, gate_up);
        self.norm(&layout.feed_norm, &tape.middle, &tape.middle_scales);
    }

    /// To the gradient of the context, and, in the last layer, from rows with targets to all rows.
    fn output(&mut self, layer: usize, tape: &LayerTape) {
        let (layout, matrices) = (&self.model.layout.layers[layer], &self.matrices.layers[layer]);
        let scratch = &mut *self.scratch;
        let context = sized(&mut scratch.context, tape.context.len());
        if layer + 1 < self.model.layout.layers.len() {
            matrices.output.set(&scratch.residual, context);
            add_outer(self.gradient, layout.output, &tape.context, &scratch.residual);
            return;
        }
        let picked = sized(&mut scratch.picked_context, tape.picked_context.len());
        matrices.output.set(&scratch.residual, picked);
        add_outer(self.gradient, layout.output, &tape.picked_context, &scratch.residual);
        let rows = || self.batch.targets.iter().map(|target| target.row);
        spread(picked, rows(), self.model.config.query_width(), context);
        let picked = std::mem::take(&mut scratch.residual);
        let residual = sized(&mut scratch.residual, tape.input.len());
        spread(&picked, rows(), self.model.config.hidden_size, residual);
    }

    /// From the gradient of the context to that of the layer's input.
    fn attend(&mut self, layer: usize, tape: &LayerTape) {
        let (model, batch, layout) = (self.model, self.batch, &self.model.layout.layers[layer]);
        let scratch = &mut *self.scratch;
        let inputs = Inputs {
            config: &model.config,
            sequences: &batch.sequences,
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
        inputs.backward(gradients, self.attention);
        let mut unrotate = |grad: &mut [f32], heads, norm: &Range<usize>, scales| {
            let (weight, grad_weight) = (&model.values[norm.clone()], &mut self.gradient[norm.clone()]);
            rope::backward(grad, &tape.qkv, heads, &batch.positions, &model.angles, weight, scales, qkv, grad_weight);
        };
        unrotate(queries, model.query_heads(), &layout.query_norm, &tape.query_scales);
        unrotate(keys, model.key_heads(), &layout.key_norm, &tape.key_scales);
        let normed = sized(&mut scratch.normed, tape.input.len());
        self.matrices.layers[layer].qkv.set(qkv, normed);
        add_outer(self.gradient, layout.qkv, &tape.normed_input, qkv);
        self.norm(&layout.input_norm, &tape.input, &tape.input_scales);
    }

    /// Adds to the residual gradient what comes through a norm.
    fn norm(&mut self, norm: &Range<usize>, x: &[f32], scales: &[f32]) {
        let Scratch { residual, normed, .. } = &mut *self.scratch;
        let weight = &self.model.values[norm.clone()];
        norm::backward(normed, x, weight, scales, residual, &mut self.gradient[norm.clone()]);
    }
}

/// Adds the gradient of a matrix, given its inputs and the gradient of its outputs.
pub(crate) fn add_outer(gradient: &mut [f32], matrix: Matrix, inputs: &[f32], grad_outputs: &[f32]) {
    let rows = inputs.len() / matrix.rows;
    let inputs = View::new(inputs, rows, matrix.rows, matrix.rows);
    let grad_outputs = View::new(grad_outputs, rows, matrix.columns, matrix.columns);
    Target::new(&mut gradient[matrix.range()], matrix.rows, matrix.columns, matrix.columns)
        .add(inputs.transposed(), grad_outputs);
}
