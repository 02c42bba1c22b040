//! The forward pass over a micro-batch.

use super::super::clock::{Work, time};
use super::super::math::{feed_forward, norm, rope, vector};
use super::super::model::weights::{Matrices, Model};
use super::attention::{Inputs, Scratch};
use super::plan::MicroBatch;
use super::tape::{Keep, LayerTape, Tape, pick, sized};

/// What the pass reads.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a> {
    pub(crate) model: &'a Model,
    pub(crate) matrices: &'a Matrices,
    pub(crate) batch: &'a MicroBatch,
}

impl Forward<'_> {
    /// Runs all layers; `tape.last` has the last one's output for rows with targets.
    pub(crate) fn run(self, tape: &mut Tape, keep: Keep, scratch: &mut Scratch) {
        let layers = self.model.layout.layers.len();
        tape.begin(layers, keep);
        self.embed(&mut tape.inputs[0]);
        for layer in 0..layers {
            let (input, current, out) = tape.layer(layer);
            self.layer(layer, input, current, scratch);
            let out = sized(out, current.middle.len());
            self.matrices.layers[layer].down.set(&current.gated, out);
            vector::add(out, &current.middle);
        }
    }

    /// Fills the activations of a layer, up to what its last product reads.
    pub(crate) fn layer(self, layer: usize, input: &[f32], tape: &mut LayerTape, scratch: &mut Scratch) {
        self.attend(layer, input, tape, scratch);
        let (config, output) = (&self.model.config, &self.matrices.layers[layer].output);
        if layer + 1 < config.num_hidden_layers {
            tape.middle.clear();
            tape.middle.extend_from_slice(input);
            output.add(&tape.context, &mut tape.middle);
        } else {
            let rows = || self.batch.rows.iter().copied();
            pick(input, rows(), config.hidden_size, &mut tape.middle);
            pick(&tape.context, rows(), config.query_width(), &mut tape.picked_context);
            output.add(&tape.picked_context, &mut tape.middle);
        }
        self.feed(layer, tape);
    }

    fn embed(self, out: &mut Vec<f32>) {
        let embedding = &self.model.values[self.model.layout.embedding.range()];
        pick(embedding, self.batch.ids.iter().map(|&id| id as usize), self.model.config.hidden_size, out);
    }

    /// From the layer's input to the context of every row.
    fn attend(self, layer: usize, input: &[f32], tape: &mut LayerTape, scratch: &mut Scratch) {
        let Forward { model, matrices, batch } = self;
        let (config, layout, rows) = (&model.config, &model.layout.layers[layer], batch.ids.len());
        let value = |range: &std::ops::Range<usize>| &model.values[range.clone()];
        let normed = sized(&mut tape.normed_input, input.len());
        let scales = sized(&mut tape.input_scales, rows);
        norm::forward(input, value(&layout.input_norm), config.rms_norm_eps, normed, scales);
        let qkv = sized(&mut tape.qkv, rows * layout.qkv.columns);
        matrices.layers[layer].qkv.set(normed, qkv);
        let rotate = |heads: rope::Heads, weight, out: &mut Vec<f32>, scales: &mut Vec<f32>| {
            let out = sized(out, rows * heads.count * config.head_dim);
            let scales = sized(scales, rows * heads.count);
            rope::forward(qkv, heads, &batch.positions, &model.angles, weight, config.rms_norm_eps, out, scales);
        };
        rotate(model.query_heads(), value(&layout.query_norm), &mut tape.queries, &mut tape.query_scales);
        rotate(model.key_heads(), value(&layout.key_norm), &mut tape.keys, &mut tape.key_scales);
        let inputs = Inputs { config, segments: &batch.segments, queries: &tape.queries, keys: &tape.keys, qkv };
        let context = sized(&mut tape.context, rows * config.query_width());
        let log_sums = sized(&mut tape.log_sums, rows * config.num_attention_heads);
        time(Work::Attention, || inputs.forward(context, log_sums, scratch));
    }

    /// From the middle of the layer to what its last product reads.
    fn feed(self, layer: usize, tape: &mut LayerTape) {
        let (config, layout) = (&self.model.config, &self.model.layout.layers[layer]);
        let rows = tape.middle.len() / config.hidden_size;
        let normed = sized(&mut tape.normed_middle, tape.middle.len());
        let scales = sized(&mut tape.middle_scales, rows);
        let weight = &self.model.values[layout.feed_norm.clone()];
        norm::forward(&tape.middle, weight, config.rms_norm_eps, normed, scales);
        let gate_up = sized(&mut tape.gate_up, rows * layout.gate_up.columns);
        self.matrices.layers[layer].gate_up.set(normed, gate_up);
        let gated = sized(&mut tape.gated, rows * config.intermediate_size);
        feed_forward::forward(gate_up, config.intermediate_size, gated);
    }
}
