//! Causal attention over whole sequences, and its gradient.
//!
//! Scores exist for one head and one block of queries at a time; the backward pass computes them again from queries, keys and the stored
//! logarithm of each row's sum. Where the earlier rows of a segment belong to other sequences, too, the keys and values that it sees are
//! copied side by side, and their gradients added back.

use std::ops::Range;

use super::super::config::Config;
use super::super::math::matmul::{Target, View};
use super::super::math::vector::{self, dot, exp, exp_sum, max};
use super::super::math::vectorize::vectorize;
use super::plan::Segment;
use super::tape::sized;

/// Queries whose scores exist at the same time.
const BLOCK: usize = 64;

/// What attention reads: heads dense in `queries` and `keys`, values as the last columns of rows of `qkv`.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) config: &'a Config,
    pub(crate) segments: &'a [Segment],
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

/// Scores and their gradients of one block; keys and values of one segment, and their gradients.
#[derive(Default)]
pub(crate) struct Scratch {
    scores: Vec<f32>,
    gradients: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    grad_keys: Vec<f32>,
    grad_values: Vec<f32>,
}

/// Keys and values that a segment sees, all heads side by side.
#[derive(Clone, Copy)]
struct Seen<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    /// From the values of one token to those of the next.
    stride: usize,
}

/// One head's block of queries and the keys up to its end.
struct Block {
    /// First value of the head in the first row of queries.
    query: usize,
    /// First value of the head in a row of keys or values.
    head: usize,
    /// First logarithm of a sum.
    log_sum: usize,
    /// Keys in front of that of the first query.
    before: usize,
    queries: usize,
    keys: usize,
}

impl Inputs<'_> {
    /// Fills `context` (one row of all heads per token) and `log_sums` (one per head and token).
    pub(crate) fn forward(&self, context: &mut [f32], log_sums: &mut [f32], scratch: &mut Scratch) {
        let (query_width, heads) = (self.config.query_width(), self.config.num_attention_heads);
        for segment in self.segments {
            let seen = self.seen(segment, &mut scratch.keys, &mut scratch.values);
            for block in self.blocks(segment) {
                let scores = self.scores(&block, seen, &mut scratch.scores);
                let context = &mut context[block.query..];
                let sums = &mut [0.0; BLOCK][..block.queries];
                soften(scores, block.keys, block.before, self.scale(), sums, &mut log_sums[block.log_sum..], heads);
                Target::new(context, block.queries, self.config.head_dim, query_width)
                    .set(View::new(scores, block.queries, block.keys, block.keys), self.values(&block, seen));
                for (row, sum) in context.chunks_mut(query_width).zip(sums) {
                    row[..self.config.head_dim].iter_mut().for_each(|value| *value /= *sum);
                }
            }
        }
    }

    /// Adds to the gradients of keys and values, and writes those of queries.
    pub(crate) fn backward(&self, mut gradients: Gradients, scratch: &mut Scratch) {
        let (key_width, stride) = (self.config.key_width(), self.stride());
        for segment in self.segments {
            let seen = self.seen(segment, &mut scratch.keys, &mut scratch.values);
            let buffers = [&mut scratch.scores, &mut scratch.gradients];
            if segment.before.is_empty() {
                let (keys, values) = self.places(segment.rows.start);
                // Taken out, so that the other gradients can be lent beside them.
                let (all_keys, all_qkv) =
                    (std::mem::take(&mut gradients.grad_keys), std::mem::take(&mut gradients.grad_qkv));
                self.backward_segment(
                    segment,
                    seen,
                    &mut gradients,
                    [&mut all_keys[keys..], &mut all_qkv[values..]],
                    buffers,
                );
                (gradients.grad_keys, gradients.grad_qkv) = (all_keys, all_qkv);
                continue;
            }
            let length = seen.keys.len();
            let [grad_keys, grad_values] = [&mut scratch.grad_keys, &mut scratch.grad_values].map(|buffer| {
                buffer.clear();
                sized(buffer, length)
            });
            self.backward_segment(segment, seen, &mut gradients, [grad_keys, grad_values], buffers);
            let parts = scratch.grad_keys.chunks_exact(key_width).zip(scratch.grad_values.chunks_exact(key_width));
            for (row, (keys, values)) in rows(segment).zip(parts) {
                vector::add(&mut gradients.grad_keys[row * key_width..][..key_width], keys);
                vector::add(&mut gradients.grad_qkv[(row + 1) * stride - key_width..][..key_width], values);
            }
        }
    }

    /// Adds to the gradients of what a segment sees, and writes those of its queries.
    fn backward_segment(
        &self,
        segment: &Segment,
        seen: Seen,
        gradients: &mut Gradients,
        [grad_keys, grad_values]: [&mut [f32]; 2],
        [scores, score_gradients]: [&mut Vec<f32>; 2],
    ) {
        let (query_width, key_width) = (self.config.query_width(), self.config.key_width());
        let (width, heads) = (self.config.head_dim, self.config.num_attention_heads);
        for block in self.blocks(segment) {
            let Block { queries, keys, .. } = block;
            let grad_out = &gradients.grad_context[block.query..];
            let grad_out_view = View::new(grad_out, queries, width, query_width);
            let weights = self.scores(&block, seen, scores);
            let grads = sized(score_gradients, queries * keys);
            Target::new(grads, queries, keys, keys).set(grad_out_view, self.values(&block, seen).transposed());
            let along = &mut [0.0; BLOCK][..queries];
            products(&gradients.context[block.query..], grad_out, width, query_width, along);
            let log_sums = &gradients.log_sums[block.log_sum..];
            soften_backward(weights, grads, keys, block.before, self.scale(), along, log_sums, heads);
            let (weights, grads) = (View::new(weights, queries, keys, keys), View::new(grads, queries, keys, keys));
            let query_view = View::new(&self.queries[block.query..], queries, width, query_width);
            Target::new(&mut grad_values[block.head..], keys, width, seen.stride)
                .add(weights.transposed(), grad_out_view);
            Target::new(&mut gradients.grad_queries[block.query..], queries, width, query_width)
                .set(grads, self.keys(&block, seen));
            Target::new(&mut grad_keys[block.head..], keys, width, key_width).add(grads.transposed(), query_view);
        }
    }

    /// What a segment sees: where it is, if that is in one piece, or else copied.
    fn seen<'s>(&'s self, segment: &Segment, keys: &'s mut Vec<f32>, values: &'s mut Vec<f32>) -> Seen<'s> {
        if segment.before.is_empty() {
            let (keys, values) = self.places(segment.rows.start);
            return Seen { keys: &self.keys[keys..], values: &self.qkv[values..], stride: self.stride() };
        }
        let width = self.config.key_width();
        keys.clear();
        values.clear();
        for row in rows(segment) {
            let (key, value) = self.places(row);
            keys.extend_from_slice(&self.keys[key..][..width]);
            values.extend_from_slice(&self.qkv[value..][..width]);
        }
        Seen { keys, values, stride: width }
    }

    fn blocks(&self, segment: &Segment) -> impl Iterator<Item = Block> {
        let Inputs { config, .. } = *self;
        let (heads, width) = (config.num_attention_heads, config.head_dim);
        let (begin, length) = (segment.rows.start, segment.rows.len());
        let earlier: usize = segment.before.iter().map(Range::len).sum();
        (0..length).step_by(BLOCK).flat_map(move |at| {
            (0..heads).map(move |head| {
                let (row, queries) = (begin + at, BLOCK.min(length - at));
                Block {
                    query: row * config.query_width() + head * width,
                    head: head / config.group() * width,
                    log_sum: row * heads + head,
                    before: earlier + at,
                    queries,
                    keys: earlier + at + queries,
                }
            })
        })
    }

    /// Products of queries and keys, one row of all keys per query.
    fn scores<'s>(&self, block: &Block, seen: Seen, scores: &'s mut Vec<f32>) -> &'s mut [f32] {
        let scores = sized(scores, block.queries * block.keys);
        let queries = &self.queries[block.query..];
        let queries = View::new(queries, block.queries, self.config.head_dim, self.config.query_width());
        Target::new(scores, block.queries, block.keys, block.keys).set(queries, self.keys(block, seen).transposed());
        scores
    }

    fn keys<'s>(&self, block: &Block, seen: Seen<'s>) -> View<'s> {
        View::new(&seen.keys[block.head..], block.keys, self.config.head_dim, self.config.key_width())
    }

    fn values<'s>(&self, block: &Block, seen: Seen<'s>) -> View<'s> {
        View::new(&seen.values[block.head..], block.keys, self.config.head_dim, seen.stride)
    }

    /// Where the keys and the values of a row begin.
    fn places(&self, row: usize) -> (usize, usize) {
        let key_width = self.config.key_width();
        (row * key_width, (row + 1) * self.stride() - key_width)
    }

    fn stride(&self) -> usize {
        self.config.query_width() + 2 * self.config.key_width()
    }

    fn scale(&self) -> f32 {
        1.0 / (self.config.head_dim as f32).sqrt()
    }
}

/// The rows that a segment sees, oldest first.
fn rows(segment: &Segment) -> impl Iterator<Item = usize> {
    segment.before.iter().cloned().flatten().chain(segment.rows.clone())
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
