//! One pass of the model over rows of different sequences.

use super::super::clock::{Work, time};
use super::super::math::{feed_forward, norm, rope};
use super::super::model::weights::{Matrices, Model};
use super::attention::{Scratch, Task, attend};
use super::cache::Shape;
use super::sequence::Sequence;

/// One id to compute, at one position of one sequence; positions of a sequence follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Index of the sequence.
    pub(crate) sequence: usize,
    pub(crate) position: usize,
    pub(crate) id: u32,
    /// Whether logits are wanted.
    pub(crate) sampled: bool,
}

/// The model, and buffers that stay allocated between passes.
pub(crate) struct Pass<'a> {
    model: &'a Model,
    matrices: &'a Matrices,
    shape: Shape,
    positions: Vec<u32>,
    residual: Vec<f32>,
    normed: Vec<f32>,
    scales: Vec<f32>,
    qkv: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    context: Vec<f32>,
    gate_up: Vec<f32>,
    gated: Vec<f32>,
    attention: Scratch,
    /// Logits of the rows that want them, in their order.
    pub(crate) logits: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(model: &'a Model, matrices: &'a Matrices) -> Pass<'a> {
        let empty = Vec::new;
        Pass {
            model,
            matrices,
            shape: Shape::new(&model.config),
            positions: Vec::new(),
            residual: empty(),
            normed: empty(),
            scales: empty(),
            qkv: empty(),
            queries: empty(),
            keys: empty(),
            context: empty(),
            gate_up: empty(),
            gated: empty(),
            attention: Scratch::default(),
            logits: empty(),
        }
    }

    /// Computes the rows, writes their keys and values to the caches, and leaves logits.
    pub(crate) fn run(&mut self, rows: &[Row], sequences: &mut [Sequence]) {
        let width = self.model.config.hidden_size;
        self.positions = rows.iter().map(|row| row.position as u32).collect();
        let embedding = &self.model.values[self.model.layout.embedding.range()];
        self.residual.clear();
        for row in rows {
            self.residual.extend_from_slice(&embedding[row.id as usize * width..][..width]);
            sequences[row.sequence].cache.reserve(self.shape, row.position + 1);
        }
        for layer in 0..self.model.layout.layers.len() {
            self.attend(layer, rows, sequences);
            self.feed(layer);
        }
        self.finish(rows);
    }

    fn attend(&mut self, layer: usize, rows: &[Row], sequences: &mut [Sequence]) {
        let (model, config, layout) = (self.model, &self.model.config, &self.model.layout.layers[layer]);
        self.norm(layout.input_norm.clone());
        self.qkv.resize(rows.len() * layout.qkv.columns, 0.0);
        self.matrices.layers[layer].qkv.set(&self.normed, &mut self.qkv);
        let mut rotate = |heads: rope::Heads, norm: &std::ops::Range<usize>, out: &mut Vec<f32>| {
            out.resize(rows.len() * heads.count * config.head_dim, 0.0);
            self.scales.resize(rows.len() * heads.count, 0.0);
            let weight = &model.values[norm.clone()];
            let (angles, epsilon) = (&model.angles, config.rms_norm_eps);
            rope::forward(&self.qkv, heads, &self.positions, angles, weight, epsilon, out, &mut self.scales);
        };
        rotate(model.query_heads(), &layout.query_norm, &mut self.queries);
        rotate(model.key_heads(), &layout.key_norm, &mut self.keys);
        let key_width = config.key_width();
        for ((row, qkv), keys) in
            rows.iter().zip(self.qkv.chunks_exact(layout.qkv.columns)).zip(self.keys.chunks(key_width))
        {
            let values = &qkv[layout.qkv.columns - key_width..];
            let block = sequences[row.sequence].cache.open_block(row.position);
            block.write(self.shape, layer, row.position % super::cache::TOKENS, keys, values);
        }
        self.context.resize(self.queries.len(), 0.0);
        let query_width = config.query_width();
        let (mut queries, mut contexts) = (&self.queries[..], &mut self.context[..]);
        for rows in rows.chunk_by(|a, b| a.sequence == b.sequence) {
            let blocks = &sequences[rows[0].sequence].cache.blocks;
            let task = Task { shape: self.shape, layer, group: config.group(), position: rows[0].position };
            let query = queries.split_off(..rows.len() * query_width).expect("every row has queries");
            let context = contexts.split_off_mut(..rows.len() * query_width).expect("every row has a context");
            time(Work::Attention, || attend(task, query, blocks, &mut self.attention, context));
        }
        self.matrices.layers[layer].output.add(&self.context, &mut self.residual);
    }

    fn feed(&mut self, layer: usize) {
        let (layout, width) = (&self.model.layout.layers[layer], self.model.config.intermediate_size);
        self.norm(layout.feed_norm.clone());
        let rows = self.scales.len();
        self.gate_up.resize(rows * layout.gate_up.columns, 0.0);
        self.matrices.layers[layer].gate_up.set(&self.normed, &mut self.gate_up);
        self.gated.resize(rows * width, 0.0);
        feed_forward::forward(&self.gate_up, width, &mut self.gated);
        self.matrices.layers[layer].down.add(&self.gated, &mut self.residual);
    }

    fn finish(&mut self, rows: &[Row]) {
        let width = self.model.config.hidden_size;
        let mut kept = 0;
        for (index, _) in rows.iter().enumerate().filter(|(_, row)| row.sampled) {
            self.residual.copy_within(index * width..(index + 1) * width, kept * width);
            kept += 1;
        }
        self.residual.truncate(kept * width);
        self.norm(self.model.layout.final_norm.clone());
        self.logits.resize(kept * self.model.config.vocab_size, 0.0);
        self.matrices.head.set(&self.normed, &mut self.logits);
    }

    fn norm(&mut self, weight: std::ops::Range<usize>) {
        let config = &self.model.config;
        self.normed.resize(self.residual.len(), 0.0);
        self.scales.resize(self.residual.len() / config.hidden_size, 0.0);
        let weight = &self.model.values[weight];
        norm::forward(&self.residual, weight, config.rms_norm_eps, &mut self.normed, &mut self.scales);
    }
}
