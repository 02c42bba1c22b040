//! Attention of rows of one sequence over the blocks of its cache.
//!
//! A few queries share each read of keys and values; the order of a query's sums depends on its position alone.

use std::sync::Arc;

use pulp::{Simd, WithSimd};

use super::super::math::vector::{exp_sum, max};
use super::super::math::vectorize::instruction_set;
use super::cache::{Block, Shape, TOKENS};

/// What is computed.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub(crate) shape: Shape,
    pub(crate) layer: usize,
    /// Heads of queries per head of keys.
    pub(crate) group: usize,
    /// Position of the first row; the others follow.
    pub(crate) position: usize,
}

/// Buffers that stay allocated.
#[derive(Default)]
pub(crate) struct Scratch {
    /// For each feature, the values of the queries.
    queries: Vec<f32>,
    /// For each query, the weights of all tokens.
    weights: Vec<f32>,
}

/// Fills `context` (rows of all heads, as `queries`) with every head's mean of the values.
pub(crate) fn attend(task: Task, queries: &[f32], blocks: &[Arc<Block>], scratch: &mut Scratch, context: &mut [f32]) {
    instruction_set().dispatch(Attend { task, queries, blocks, scratch, context });
}

struct Attend<'a> {
    task: Task,
    queries: &'a [f32],
    blocks: &'a [Arc<Block>],
    scratch: &'a mut Scratch,
    context: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Attend { task, queries, blocks, scratch, context } = self;
        let rows = queries.len() / (task.shape.heads * task.group * task.shape.width);
        for key_head in 0..task.shape.heads {
            let (mut done, all) = (0, rows * task.group);
            while done < all {
                let some = Some { simd, task, key_head, first: done };
                let left = (all - done).min(if S::REGISTER_COUNT >= 32 { 8 } else { 4 });
                done += match left {
                    1 => some.run::<1>(queries, blocks, scratch, context),
                    2 => some.run::<2>(queries, blocks, scratch, context),
                    3 => some.run::<3>(queries, blocks, scratch, context),
                    4..8 => some.run::<4>(queries, blocks, scratch, context),
                    _ => some.run::<8>(queries, blocks, scratch, context),
                };
            }
        }
    }
}

/// Some queries of one head of keys, row by row, group by group.
struct Some<S> {
    simd: S,
    task: Task,
    key_head: usize,
    first: usize,
}

impl<S: Simd> Some<S> {
    #[inline(always)]
    fn run<const COUNT: usize>(
        &self,
        queries: &[f32],
        blocks: &[Arc<Block>],
        scratch: &mut Scratch,
        context: &mut [f32],
    ) -> usize {
        let width = self.task.shape.width;
        scratch.queries.resize(width * COUNT, 0.0);
        for number in 0..COUNT {
            let query = &queries[self.place(number)..][..width];
            for (values, &value) in scratch.queries.as_chunks_mut::<COUNT>().0.iter_mut().zip(query) {
                values[number] = value;
            }
        }
        let blocks = &blocks[..self.length(COUNT - 1).div_ceil(TOKENS)];
        let tokens = blocks.len() * TOKENS;
        scratch.weights.resize(tokens * COUNT, 0.0);
        self.products::<COUNT>(scratch.queries.as_chunks().0, blocks, &mut scratch.weights);
        let mut factors = [0.0; COUNT];
        for (number, weights) in scratch.weights.chunks_exact_mut(tokens).enumerate() {
            factors[number] = self.soften(self.length(number), weights);
        }
        let weights: [&[f32]; COUNT] = std::array::from_fn(|number| &scratch.weights[number * tokens..][..tokens]);
        let mut feature = 0;
        while feature < width {
            feature += match (width - feature) / S::F32_LANES {
                2.. => self.mean::<COUNT, 2>(feature, blocks, weights, factors, context),
                1 => self.mean::<COUNT, 1>(feature, blocks, weights, factors, context),
                0 => self.mean_of_one(feature, blocks, weights, factors, context),
            };
        }
        COUNT
    }

    /// Where a query (and its result) begins.
    #[inline(always)]
    fn place(&self, number: usize) -> usize {
        let Task { shape, group, .. } = self.task;
        let (row, head) = ((self.first + number) / group, (self.first + number) % group);
        ((row * shape.heads + self.key_head) * group + head) * shape.width
    }

    /// Tokens that a query sees, with its own.
    #[inline(always)]
    fn length(&self, number: usize) -> usize {
        self.task.position + (self.first + number) / self.task.group + 1
    }

    /// Products of queries and keys: for each query, all tokens.
    #[inline(always)]
    fn products<const COUNT: usize>(&self, queries: &[[f32; COUNT]], blocks: &[Arc<Block>], products: &mut [f32]) {
        const VECTORS: usize = 2;
        let (simd, tokens) = (self.simd, blocks.len() * TOKENS);
        for (number, block) in blocks.iter().enumerate() {
            let keys = S::as_simd_f32s(block.keys(self.task.shape, self.task.layer, self.key_head)).0;
            for part in (0..TOKENS / S::F32_LANES).step_by(VECTORS) {
                let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COUNT];
                for (queries, keys) in queries.iter().zip(keys.chunks_exact(TOKENS / S::F32_LANES)) {
                    let keys: [S::f32s; VECTORS] = std::array::from_fn(|vector| keys[part + vector]);
                    for query in 0..COUNT {
                        let value = simd.splat_f32s(queries[query]);
                        for vector in 0..VECTORS {
                            sums[query][vector] = simd.mul_add_f32s(value, keys[vector], sums[query][vector]);
                        }
                    }
                }
                for (query, sums) in sums.iter().enumerate() {
                    let out = &mut products[query * tokens + number * TOKENS + part * S::F32_LANES..];
                    S::as_mut_simd_f32s(out).0[..VECTORS].copy_from_slice(sums);
                }
            }
        }
    }

    /// Replaces products by weights that are zero beyond `length`; gives what makes their sum one.
    #[inline(always)]
    fn soften(&self, length: usize, products: &mut [f32]) -> f32 {
        let scale = 1.0 / (self.task.shape.width as f32).sqrt();
        let (seen, unseen) = products.split_at_mut(length);
        unseen.fill(0.0);
        let largest = max(seen) * scale;
        1.0 / exp_sum(seen, scale, largest)
    }

    /// Means of as many features of the values as some vectors hold.
    #[inline(always)]
    fn mean<const COUNT: usize, const VECTORS: usize>(
        &self,
        feature: usize,
        blocks: &[Arc<Block>],
        weights: [&[f32]; COUNT],
        factors: [f32; COUNT],
        context: &mut [f32],
    ) -> usize {
        let (simd, width) = (self.simd, self.task.shape.width);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COUNT];
        for (number, block) in blocks.iter().enumerate() {
            let weights: [&[f32; TOKENS]; COUNT] =
                std::array::from_fn(|query| &weights[query].as_chunks::<TOKENS>().0[number]);
            let values = block.values(self.task.shape, self.task.layer, self.key_head);
            for (token, values) in values.chunks_exact(width).enumerate().take(TOKENS) {
                let values = &S::as_simd_f32s(&values[feature..][..VECTORS * S::F32_LANES]).0[..VECTORS];
                for query in 0..COUNT {
                    let weight = simd.splat_f32s(weights[query][token]);
                    for vector in 0..VECTORS {
                        sums[query][vector] = simd.mul_add_f32s(weight, values[vector], sums[query][vector]);
                    }
                }
            }
        }
        for query in 0..COUNT {
            let factor = simd.splat_f32s(factors[query]);
            let out = S::as_mut_simd_f32s(&mut context[self.place(query) + feature..]).0;
            for vector in 0..VECTORS {
                out[vector] = simd.mul_f32s(sums[query][vector], factor);
            }
        }
        VECTORS * S::F32_LANES
    }

    /// Means of one feature, where heads are not as wide as vectors.
    #[inline(always)]
    fn mean_of_one<const COUNT: usize>(
        &self,
        feature: usize,
        blocks: &[Arc<Block>],
        weights: [&[f32]; COUNT],
        factors: [f32; COUNT],
        context: &mut [f32],
    ) -> usize {
        for query in 0..COUNT {
            let mut sum = 0.0;
            for (block, weights) in blocks.iter().zip(weights[query].chunks_exact(TOKENS)) {
                let values = block.values(self.task.shape, self.task.layer, self.key_head);
                for (weight, values) in weights.iter().zip(values.chunks_exact(self.task.shape.width)) {
                    sum = weight.mul_add(values[feature], sum);
                }
            }
            context[self.place(query) + feature] = sum * factors[query];
        }
        1
    }
}
