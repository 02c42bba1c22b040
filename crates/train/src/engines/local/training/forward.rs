//! The forward pass over a micro-batch.

use super::super::math::{feed_forward, norm, rope, vector};
use super::super::model::weights::{Matrices, Model};
use super::attention::{Inputs, Scratch};
use super::plan::MicroBatch;
use super::tape::{LayerTape, Tape, pick, sized};

/// Runs all layers; `tape.last` has the last one's output for rows with targets.
pub(crate) fn forward(model: &Model, matrices: &Matrices, batch: &MicroBatch, tape: &mut Tape, scratch: &mut Scratch) {
    let layers = model.layout.layers.len();
    tape.layers.resize_with(layers, LayerTape::default);
    embed(model, &batch.ids, &mut tape.layers[0].input);
    for layer in 0..layers {
        let (done, rest) = tape.layers.split_at_mut(layer + 1);
        let current = &mut done[layer];
        attend(model, matrices, layer, batch, current, scratch);
        let out = match rest.first_mut() {
            Some(next) => {
                current.middle.clone_from(&current.input);
                matrices.layers[layer].output.add(&current.context, &mut current.middle);
                &mut next.input
            }
            None => {
                let rows = || batch.targets.iter().map(|target| target.row);
                pick(&current.input, rows(), model.config.hidden_size, &mut current.middle);
                pick(&current.context, rows(), model.config.query_width(), &mut current.picked_context);
                matrices.layers[layer].output.add(&current.picked_context, &mut current.middle);
                &mut tape.last
            }
        };
        feed(model, matrices, layer, current, out);
    }
}

fn embed(model: &Model, ids: &[u32], out: &mut Vec<f32>) {
    let embedding = &model.values[model.layout.embedding.range()];
    pick(embedding, ids.iter().map(|&id| id as usize), model.config.hidden_size, out);
}

/// From the layer's input to the context of every row.
fn attend(
    model: &Model,
    matrices: &Matrices,
    layer: usize,
    batch: &MicroBatch,
    tape: &mut LayerTape,
    scratch: &mut Scratch,
) {
    let (config, layout, rows) = (&model.config, &model.layout.layers[layer], batch.ids.len());
    let value = |range: &std::ops::Range<usize>| &model.values[range.clone()];
    let normed = sized(&mut tape.normed_input, tape.input.len());
    let scales = sized(&mut tape.input_scales, rows);
    norm::forward(&tape.input, value(&layout.input_norm), config.rms_norm_eps, normed, scales);
    let qkv = sized(&mut tape.qkv, rows * layout.qkv.columns);
    matrices.layers[layer].qkv.set(normed, qkv);
    let rotate = |heads: rope::Heads, weight, out: &mut Vec<f32>, scales: &mut Vec<f32>| {
        let out = sized(out, rows * heads.count * config.head_dim);
        let scales = sized(scales, rows * heads.count);
        rope::forward(qkv, heads, &batch.positions, &model.angles, weight, config.rms_norm_eps, out, scales);
    };
    rotate(model.query_heads(), value(&layout.query_norm), &mut tape.queries, &mut tape.query_scales);
    rotate(model.key_heads(), value(&layout.key_norm), &mut tape.keys, &mut tape.key_scales);
    let inputs = Inputs { config, sequences: &batch.sequences, queries: &tape.queries, keys: &tape.keys, qkv };
    let context = sized(&mut tape.context, rows * config.query_width());
    inputs.forward(context, sized(&mut tape.log_sums, rows * config.num_attention_heads), scratch);
}

/// From the middle of the layer to its output.
fn feed(model: &Model, matrices: &Matrices, layer: usize, tape: &mut LayerTape, out: &mut Vec<f32>) {
    let (config, layout) = (&model.config, &model.layout.layers[layer]);
    let rows = tape.middle.len() / config.hidden_size;
    let normed = sized(&mut tape.normed_middle, tape.middle.len());
    let scales = sized(&mut tape.middle_scales, rows);
    norm::forward(&tape.middle, &model.values[layout.feed_norm.clone()], config.rms_norm_eps, normed, scales);
    let gate_up = sized(&mut tape.gate_up, rows * layout.gate_up.columns);
    matrices.layers[layer].gate_up.set(normed, gate_up);
    let gated = sized(&mut tape.gated, rows * config.intermediate_size);
    feed_forward::forward(gate_up, config.intermediate_size, gated);
    let out = sized(out, tape.middle.len());
    matrices.layers[layer].down.set(gated, out);
    vector::add(out, &tape.middle);
}
