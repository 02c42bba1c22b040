//! Attention of one row over the blocks of its cache; the order of its sums depends on the row's position alone.

use std::sync::Arc;

use super::super::math::vector::{LANES, exp_sum, max};
use super::super::math::vectorize::vectorize;
use super::cache::{Block, Shape, TOKENS};

/// What a row attends to.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    pub(crate) shape: Shape,
    pub(crate) layer: usize,
    /// Tokens seen, with the row's own.
    pub(crate) length: usize,
    /// Heads of queries per head of keys.
    pub(crate) group: usize,
}

vectorize! {
    /// Fills `context` with every head's mean of the values.
    pub(crate) fn attend(query: Query, queries: &[f32], blocks: &[Arc<Block>], scores: &mut Vec<f32>, context: &mut [f32]) {
        let Query { shape, layer, length, group } = query;
        let blocks = &blocks[..length.div_ceil(TOKENS)];
        let scale = 1.0 / (shape.width as f32).sqrt();
        scores.resize(blocks.len() * TOKENS, 0.0);
        let heads = queries.chunks_exact(shape.width).zip(context.chunks_exact_mut(shape.width)).enumerate();
        for (head, (queries, context)) in heads {
            let key_head = head / group;
            for (block, scores) in blocks.iter().zip(scores.as_chunks_mut::<TOKENS>().0) {
                *scores = products(queries, block.keys(shape, layer, key_head));
            }
            let seen = &mut scores[..length];
            let largest = max(seen) * scale;
            let sum = exp_sum(seen, scale, largest);
            mean(query, key_head, blocks, seen, 1.0 / sum, context);
        }
    }
}

/// Products of a query with the keys of a block.
#[inline(always)]
fn products(queries: &[f32], keys: &[f32]) -> [f32; TOKENS] {
    let mut products = [0.0; TOKENS];
    for (query, keys) in queries.iter().zip(keys.as_chunks::<TOKENS>().0) {
        for token in 0..TOKENS {
            products[token] = query.mul_add(keys[token], products[token]);
        }
    }
    products
}

/// The weighted sum of values, times a factor.
#[inline(always)]
fn mean(query: Query, key_head: usize, blocks: &[Arc<Block>], weights: &[f32], factor: f32, context: &mut [f32]) {
    let Query { shape, layer, .. } = query;
    let width = shape.width;
    let (chunks, rest) = context.as_chunks_mut::<LANES>();
    let tail = chunks.len() * LANES;
    for (number, chunk) in chunks.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (block, weights) in blocks.iter().zip(weights.chunks(TOKENS)) {
            let values = block.values(shape, layer, key_head);
            for (weight, values) in weights.iter().zip(values.chunks_exact(width)) {
                let values = &values[number * LANES..][..LANES];
                for lane in 0..LANES {
                    sums[lane] = weight.mul_add(values[lane], sums[lane]);
                }
            }
        }
        for lane in 0..LANES {
            chunk[lane] = sums[lane] * factor;
        }
    }
    for (feature, out) in rest.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (block, weights) in blocks.iter().zip(weights.chunks(TOKENS)) {
            let values = block.values(shape, layer, key_head);
            for (weight, values) in weights.iter().zip(values.chunks_exact(width)) {
                sum = weight.mul_add(values[tail + feature], sum);
            }
        }
        *out = sum * factor;
    }
}
