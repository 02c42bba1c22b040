//! Products of rows with a weight matrix that was packed once.
//!
//! Every output value is summed over the inputs in their order, whatever the number of rows: a row's result does not depend, not even in
//! rounding, on what else is in the batch. Sampling rests on this.

use pulp::{Simd, WithSimd};

use super::matmul::View;
use super::vectorize::instruction_set;

/// Vectors across a panel.
const VECTORS: usize = 3;

/// A weight matrix, cut into panels of a few vectors' width, each stored input by input; the last is padded with zeros.
pub(crate) struct Packed {
    panels: Vec<f32>,
    inputs: usize,
    outputs: usize,
    width: usize,
}

impl Packed {
    /// Packs a matrix with one row per input and one column per output.
    pub(crate) fn new(matrix: View) -> Packed {
        let (inputs, outputs) = matrix.shape();
        let width = instruction_set().dispatch(Width);
        let mut panels = vec![0.0; outputs.div_ceil(width) * width * inputs];
        for (panel, values) in panels.chunks_exact_mut(width * inputs).enumerate() {
            let used = width.min(outputs - panel * width);
            for (input, row) in values.chunks_exact_mut(width).enumerate() {
                for (column, value) in row[..used].iter_mut().enumerate() {
                    *value = matrix.at(input, panel * width + column);
                }
            }
        }
        Packed { panels, inputs, outputs, width }
    }

    /// `out = rows · matrix`.
    pub(crate) fn set(&self, rows: &[f32], out: &mut [f32]) {
        self.multiply(rows, out, false);
    }

    /// `out += rows · matrix`.
    pub(crate) fn add(&self, rows: &[f32], out: &mut [f32]) {
        self.multiply(rows, out, true);
    }

    fn multiply(&self, rows: &[f32], out: &mut [f32], add: bool) {
        let count = rows.len() / self.inputs;
        assert!(rows.len() == count * self.inputs && out.len() == count * self.outputs, "shapes agree");
        instruction_set().dispatch(Multiply { matrix: self, rows, out, add });
    }
}

struct Width;

impl WithSimd for Width {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        VECTORS * S::F32_LANES
    }
}

struct Multiply<'a> {
    matrix: &'a Packed,
    rows: &'a [f32],
    out: &'a mut [f32],
    add: bool,
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Multiply { matrix, rows, out, add } = self;
        let count = rows.len() / matrix.inputs;
        for (panel, values) in matrix.panels.chunks_exact(matrix.width * matrix.inputs).enumerate() {
            let column = panel * matrix.width;
            let tile = Tile {
                inputs: matrix.inputs,
                outputs: matrix.outputs,
                column,
                used: matrix.width.min(matrix.outputs - column),
                panel: S::as_simd_f32s(values).0,
                add,
            };
            let mut row = 0;
            while row < count {
                let rows = &rows[row * matrix.inputs..];
                let out = &mut out[row * matrix.outputs..];
                // Eight rows of accumulators fit 32 registers, four fit 16.
                let left = (count - row).min(if S::REGISTER_COUNT >= 32 { 8 } else { 4 });
                row += left;
                match left {
                    1 => tile.run::<S, 1>(simd, rows, out),
                    2 => tile.run::<S, 2>(simd, rows, out),
                    3 => tile.run::<S, 3>(simd, rows, out),
                    4 => tile.run::<S, 4>(simd, rows, out),
                    5 => tile.run::<S, 5>(simd, rows, out),
                    6 => tile.run::<S, 6>(simd, rows, out),
                    7 => tile.run::<S, 7>(simd, rows, out),
                    _ => tile.run::<S, 8>(simd, rows, out),
                }
            }
        }
    }
}

/// One panel's share of the outputs.
struct Tile<'a, V> {
    inputs: usize,
    outputs: usize,
    column: usize,
    used: usize,
    panel: &'a [V],
    add: bool,
}

impl<V: bytemuck::Pod> Tile<'_, V> {
    #[inline(always)]
    fn run<S: Simd<f32s = V>, const ROWS: usize>(&self, simd: S, rows: &[f32], out: &mut [f32]) {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &rows[row * self.inputs..][..self.inputs]);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (input, weights) in self.panel.as_chunks::<VECTORS>().0.iter().enumerate().take(self.inputs) {
            for row in 0..ROWS {
                let value = simd.splat_f32s(rows[row][input]);
                for vector in 0..VECTORS {
                    sums[row][vector] = simd.mul_add_f32s(value, weights[vector], sums[row][vector]);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let out = &mut out[row * self.outputs + self.column..][..self.used];
            if self.used == VECTORS * S::F32_LANES {
                for (out, &sum) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                    *out = if self.add { simd.add_f32s(*out, sum) } else { sum };
                }
            } else {
                let sums: &[f32] = bytemuck::cast_slice(sums);
                for (out, &sum) in out.iter_mut().zip(sums) {
                    *out = if self.add { *out + sum } else { sum };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_product_is_exact_and_does_not_depend_on_the_batch() {
        for (inputs, outputs) in [(1, 1), (5, 47), (7, 48), (16, 100)] {
            let matrix: Vec<f32> = (0..inputs * outputs).map(|i| (i % 13) as f32 - 6.0).collect();
            let packed = Packed::new(View::new(&matrix, inputs, outputs, outputs));
            let rows: Vec<f32> = (0..19 * inputs).map(|i| (i % 7) as f32 * 0.3).collect();
            let mut all = vec![0.0; 19 * outputs];
            packed.set(&rows, &mut all);
            for (row, values) in rows.chunks_exact(inputs).enumerate() {
                let mut one = vec![0.0; outputs];
                packed.set(values, &mut one);
                assert_eq!(one, all[row * outputs..][..outputs]);
                for (column, &found) in one.iter().enumerate() {
                    let exact: f32 = (0..inputs).map(|i| values[i] * matrix[i * outputs + column]).sum();
                    assert!((found - exact).abs() < 1e-4);
                }
            }
        }
    }
}
