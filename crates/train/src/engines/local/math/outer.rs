//! Sums of outer products of rows: the gradient of a matrix from its inputs and the gradients of its outputs.
//!
//! Every value is summed over the rows in their order, piece by piece.

use pulp::{Simd, WithSimd};

use super::vectorize::instruction_set;

/// Rows of a piece: so many of a panel fit the first cache.
const ROWS: usize = 128;

/// Vectors across a panel.
const VECTORS: usize = 3;

/// `out += leftᵀ · right`, where both have one row for each row of tokens and `out` one for each column of `left`.
pub(crate) fn add(out: &mut [f32], left: &[f32], right: &[f32], [height, width]: [usize; 2]) {
    let rows = left.len() / height;
    let agree = left.len() == rows * height && right.len() == rows * width && out.len() == height * width;
    assert!(agree, "shapes agree");
    instruction_set().dispatch(Add { out, left, right, height, width });
}

struct Add<'a> {
    out: &'a mut [f32],
    left: &'a [f32],
    right: &'a [f32],
    height: usize,
    width: usize,
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Add { out, left, right, height, width } = self;
        let across = VECTORS * S::F32_LANES;
        let mut panel = vec![0.0; ROWS * across];
        for (left, right) in left.chunks(ROWS * height).zip(right.chunks(ROWS * width)) {
            for column in (0..width).step_by(across) {
                let used = across.min(width - column);
                for (to, from) in panel.chunks_exact_mut(across).zip(right.chunks_exact(width)) {
                    to[..used].copy_from_slice(&from[column..][..used]);
                    to[used..].fill(0.0);
                }
                let tile = Tile { height, width, column, used, panel: S::as_simd_f32s(&panel).0 };
                let mut first = 0;
                while first < height {
                    // Eight rows of accumulators fit 32 registers, four fit 16.
                    let count = (height - first).min(if S::REGISTER_COUNT >= 32 { 8 } else { 4 });
                    match count {
                        1 => tile.run::<S, 1>(simd, left, first, out),
                        2 => tile.run::<S, 2>(simd, left, first, out),
                        3 => tile.run::<S, 3>(simd, left, first, out),
                        4 => tile.run::<S, 4>(simd, left, first, out),
                        5 => tile.run::<S, 5>(simd, left, first, out),
                        6 => tile.run::<S, 6>(simd, left, first, out),
                        7 => tile.run::<S, 7>(simd, left, first, out),
                        _ => tile.run::<S, 8>(simd, left, first, out),
                    }
                    first += count;
                }
            }
        }
    }
}

/// Some columns of the right side, and where they go.
struct Tile<'a, V> {
    height: usize,
    width: usize,
    column: usize,
    used: usize,
    panel: &'a [V],
}

impl<V: bytemuck::Pod> Tile<'_, V> {
    #[inline(always)]
    fn run<S: Simd<f32s = V>, const COUNT: usize>(&self, simd: S, left: &[f32], first: usize, out: &mut [f32]) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COUNT];
        for (right, left) in self.panel.as_chunks::<VECTORS>().0.iter().zip(left.chunks_exact(self.height)) {
            let left: &[f32; COUNT] = left[first..].first_chunk().expect("the columns are there");
            for number in 0..COUNT {
                let value = simd.splat_f32s(left[number]);
                for vector in 0..VECTORS {
                    sums[number][vector] = simd.mul_add_f32s(value, right[vector], sums[number][vector]);
                }
            }
        }
        for (number, sums) in sums.iter().enumerate() {
            let out = &mut out[(first + number) * self.width + self.column..][..self.used];
            if self.used == VECTORS * S::F32_LANES {
                for (out, &sum) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                    *out = simd.add_f32s(*out, sum);
                }
            } else {
                let sums: &[f32] = bytemuck::cast_slice(sums);
                for (out, &sum) in out.iter_mut().zip(sums) {
                    *out += sum;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_outer_products_are_exact_at_all_sizes() {
        for (rows, height, width) in [(1, 1, 1), (3, 5, 47), (130, 9, 48), (300, 16, 100)] {
            let left: Vec<f32> = (0..rows * height).map(|i| (i % 13) as f32 - 6.0).collect();
            let right: Vec<f32> = (0..rows * width).map(|i| (i % 7) as f32).collect();
            let mut out = vec![1.0; height * width];
            add(&mut out, &left, &right, [height, width]);
            for (at, &found) in out.iter().enumerate() {
                let product = |row: usize| left[row * height + at / width] * right[row * width + at % width];
                assert_eq!(found, 1.0 + (0..rows).map(product).sum::<f32>());
            }
        }
    }
}
