//! Causal attention over whole sequences, and its gradient.
//!
//! Scores exist for one head and one block of queries at a time; the backward pass computes them again from queries, keys and the stored
//! logarithm of each row's sum.

use std::ops::Range;

use super::super::config::Config;
use super::super::math::matmul::{Target, View};
use super::super::math::vector::{dot, exp, exp_sum, max};
use super::super::math::vectorize::vectorize;

/// Queries whose scores exist at the same time.
const BLOCK: usize = 64;

/// What attention reads: heads dense in `queries` and `keys`, values as the last columns of rows of `qkv`.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) config: &'a Config,
    pub(crate) sequences: &'a [Range<usize>],
    pub(crate) queries: &'a [f32],
    pub(crate) keys: &'a [f32],
    pub(crate) qkv: &'a [f32],
}

/// What the backward pass gets and fills.
pub(crate) struct Gradients<'a> {
    /// Output of the forward pass.
    pub(crate) context: &'a [f32],
    /// Logarithms of sums of the forward pass.
    pub(crate) log_sums: &'a [f32],
    pub(crate) grad_context: &'a [f32],
    pub(crate) grad_queries: &'a mut [f32],
    pub(crate) grad_keys: &'a mut [f32],
    /// The columns of values are filled.
    pub(crate) grad_qkv: &'a mut [f32],
}

/// Scores and their gradients of one block.
#[derive(Default)]
pub(crate) struct Scratch {
    scores: Vec<f32>,
    gradients: Vec<f32>,
}

/// One head's block of queries and the keys up to its end.
struct Block {
    /// First row of queries, and the first value of the head in it.
    query: usize,
    /// First row of keys, and the first value of the head in it.
    key: usize,
    /// First value of the head of values.
    value: usize,
    /// First logarithm of a sum.
    log_sum: usize,
    /// Queries before the block in its sequence.
    before: usize,
    queries: usize,
    keys: usize,
}

impl Inputs<'_> {
    /// Fills `context` (one row of all heads per token) and `log_sums` (one per head and token).
    pub(crate) fn forward(&self, context: &mut [f32], log_sums: &mut [f32], scratch: &mut Scratch) {
        let (query_width, heads) = (self.config.query_width(), self.config.num_attention_heads);
        for block in self.blocks() {
            let scores = self.scores(&block, &mut scratch.scores);
            let context = &mut context[block.query..];
            let sums = &mut [0.0; BLOCK][..block.queries];
            soften(scores, block.keys, block.before, self.scale(), sums, &mut log_sums[block.log_sum..], heads);
            Target::new(context, block.queries, self.config.head_dim, query_width)
                .set(View::new(scores, block.queries, block.keys, block.keys), self.values(&block));
            for (row, sum) in context.chunks_mut(query_width).zip(sums) {
                row[..self.config.head_dim].iter_mut().for_each(|value| *value /= *sum);
            }
        }
    }

    /// Adds to the gradients of keys and values, and writes those of queries.
    pub(crate) fn backward(&self, gradients: Gradients, scratch: &mut Scratch) {
        let Gradients { context, log_sums, grad_context, grad_queries, grad_keys, grad_qkv } = gradients;
        let (query_width, key_width) = (self.config.query_width(), self.config.key_width());
        let (width, heads, stride) = (self.config.head_dim, self.config.num_attention_heads, self.stride());
        for block in self.blocks() {
            let Block { queries, keys, .. } = block;
            let grad_out = &grad_context[block.query..];
            let grad_out_view = View::new(grad_out, queries, width, query_width);
            let weights = self.scores(&block, &mut scratch.scores);
            scratch.gradients.resize(queries * keys, 0.0);
            let grads = &mut scratch.gradients[..];
            Target::new(grads, queries, keys, keys).set(grad_out_view, self.values(&block).transposed());
            let along = &mut [0.0; BLOCK][..queries];
            products(&context[block.query..], grad_out, width, query_width, along);
            soften_backward(weights, grads, keys, block.before, self.scale(), along, &log_sums[block.log_sum..], heads);
            let (weights, grads) = (View::new(weights, queries, keys, keys), View::new(grads, queries, keys, keys));
            let query_view = View::new(&self.queries[block.query..], queries, width, query_width);
            Target::new(&mut grad_qkv[block.value..], keys, width, stride).add(weights.transposed(), grad_out_view);
            Target::new(&mut grad_queries[block.query..], queries, width, query_width).set(grads, self.keys(&block));
            Target::new(&mut grad_keys[block.key..], keys, width, key_width).add(grads.transposed(), query_view);
        }
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        let Inputs { config, sequences, .. } = *self;
        let (heads, width, stride) = (config.num_attention_heads, config.head_dim, self.stride());
        let starts =
            sequences.iter().flat_map(|sequence| (0..sequence.len()).step_by(BLOCK).map(move |at| (sequence, at)));
        starts.flat_map(move |(sequence, before)| {
            (0..heads).map(move |head| {
                let (row, key_head) = (sequence.start + before, head / config.group());
                let queries = BLOCK.min(sequence.len() - before);
                Block {
                    query: row * config.query_width() + head * width,
                    key: sequence.start * config.key_width() + key_head * width,
                    value: sequence.start * stride + stride - config.key_width() + key_head * width,
                    log_sum: row * heads + head,
                    before,
                    queries,
                    keys: before + queries,
                }
            })
        })
    }

    /// Products of queries and keys, one row of all keys per query.
    fn scores<'s>(&self, block: &Block, scores: &'s mut Vec<f32>) -> &'s mut [f32] {
        scores.resize(block.queries * block.keys, 0.0);
        let queries = &self.queries[block.query..];
        let queries = View::new(queries, block.queries, self.config.head_dim, self.config.query_width());
        Target::new(scores, block.queries, block.keys, block.keys).set(queries, self.keys(block).transposed());
        scores
    }

    fn keys(&self, block: &Block) -> View<'_> {
        View::new(&self.keys[block.key..], block.keys, self.config.head_dim, self.config.key_width())
    }

    fn values(&self, block: &Block) -> View<'_> {
        View::new(&self.qkv[block.value..], block.keys, self.config.head_dim, self.stride())
    }

    fn stride(&self) -> usize {
        self.config.query_width() + 2 * self.config.key_width()
    }

    fn scale(&self) -> f32 {
        1.0 / (self.config.head_dim as f32).sqrt()
    }
}

vectorize! {
    /// Replaces scores by `exp(score - largest)`, zero beyond the query's own position; gives the sums and the logarithms of the true sums.
    fn soften(
        _simd,
        scores: &mut [f32],
        keys: usize,
        before: usize,
        scale: f32,
        sums: &mut [f32],
        log_sums: &mut [f32],
        log_sum_stride: usize,
    ) {
        for (query, (row, sum)) in scores.chunks_exact_mut(keys).zip(sums).enumerate() {
            let (seen, unseen) = row.split_at_mut(before + query + 1);
            let largest = max(seen) * scale;
            *sum = exp_sum(seen, scale, largest);
            unseen.fill(0.0);
            log_sums[query * log_sum_stride] = largest + sum.ln();
        }
    }

    /// Replaces scores by the weights, and the gradients of weights by those of scores.
    #[expect(clippy::too_many_arguments, reason = "a kernel takes slices")]
    fn soften_backward(
        _simd,
        scores: &mut [f32],
        grads: &mut [f32],
        keys: usize,
        before: usize,
        scale: f32,
        along: &[f32],
        log_sums: &[f32],
        log_sum_stride: usize,
    ) {
        let rows = scores.chunks_exact_mut(keys).zip(grads.chunks_exact_mut(keys)).zip(along).enumerate();
        for (query, ((scores, grads), along)) in rows {
            let (seen, unseen) = scores.split_at_mut(before + query + 1);
            let (grads_seen, grads_unseen) = grads.split_at_mut(before + query + 1);
            let log_sum = log_sums[query * log_sum_stride];
            for (score, grad) in seen.iter_mut().zip(grads_seen) {
                *score = exp(score.mul_add(scale, -log_sum));
                *grad = *score * (*grad - along) * scale;
            }
            unseen.fill(0.0);
            grads_unseen.fill(0.0);
        }
    }

    /// Products of the rows of two matrices.
    fn products(simd, a: &[f32], b: &[f32], width: usize, stride: usize, out: &mut [f32]) {
        for ((a, b), out) in a.chunks(stride).zip(b.chunks(stride)).zip(out) {
            *out = dot(simd, &a[..width], &b[..width]);
        }
    }
}
