//! Products of rows with a weight matrix that was packed once.
//!
//! Every output value is summed over the inputs in their order, whatever the number of rows: a row's result does not depend, not even in
//! rounding, on what else is in the batch. Sampling rests on this. Sums are in fp32, also where the weights are kept as bfloat16.

use pulp::{Simd, WithSimd};

use super::super::super::Precision;
use super::super::clock::{Work, time};
use super::matmul::View;
use super::vectorize::instruction_set;

/// Vectors across a panel.
const VECTORS: usize = 3;

/// A weight matrix, cut into panels of a few vectors' width, each stored input by input; the last is padded with zeros.
pub(crate) struct Packed {
    panels: Panels,
    inputs: usize,
    outputs: usize,
    width: usize,
}

enum Panels {
    Full(Vec<f32>),
    /// Two inputs in each number, the earlier one in its lower half.
    Half(Vec<u32>),
}

impl Packed {
    /// Packs a matrix with one row per input and one column per output.
    pub(crate) fn new(matrix: View, precision: Precision) -> Packed {
        let (inputs, outputs) = matrix.shape();
        let width = instruction_set().dispatch(Width);
        let panels = match precision {
            Precision::Fp32 => Panels::Full(panels(inputs, outputs, width, |input, output| matrix.at(input, output))),
            Precision::Bf16 => {
                let bits = |input, output| if input < inputs { bf16(matrix.at(input, output)) } else { 0 };
                let pair = |pair, output| bits(2 * pair, output) | (bits(2 * pair + 1, output) << 16);
                Panels::Half(panels(inputs.div_ceil(2), outputs, width, pair))
            }
        };
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
        time(Work::Products, || instruction_set().dispatch(Multiply { matrix: self, rows, out, add }));
    }
}

/// Values panel by panel, row by row; zero beyond the outputs.
fn panels<T: Copy + Default>(rows: usize, outputs: usize, width: usize, value: impl Fn(usize, usize) -> T) -> Vec<T> {
    let mut panels = vec![T::default(); outputs.div_ceil(width) * width * rows];
    for (panel, values) in panels.chunks_exact_mut(width * rows).enumerate() {
        let used = width.min(outputs - panel * width);
        for (row, values) in values.chunks_exact_mut(width).enumerate() {
            for (column, place) in values[..used].iter_mut().enumerate() {
                *place = value(row, panel * width + column);
            }
        }
    }
    panels
}

/// The bits of the nearest bfloat16, ties to even.
fn bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_nan() { 0x7fc0 } else { (bits + 0x7fff + ((bits >> 16) & 1)) >> 16 }
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
        let (inputs, outputs, width) = (matrix.inputs, matrix.outputs, matrix.width);
        for (number, column) in (0..outputs).step_by(width).enumerate() {
            let tile = Tile { inputs, outputs, column, used: width.min(outputs - column), add };
            match &matrix.panels {
                Panels::Full(panels) => {
                    let panel = S::as_simd_f32s(&panels[number * width * inputs..][..width * inputs]).0;
                    tile.all(simd, Full(panel), rows, out);
                }
                Panels::Half(panels) => {
                    let size = width * inputs.div_ceil(2);
                    tile.all(simd, Half(S::as_simd_u32s(&panels[number * size..][..size]).0), rows, out);
                }
            }
        }
    }
}

/// The weights of a panel.
trait Panel<S: Simd>: Copy {
    /// Products of rows and the panel.
    fn sums<const ROWS: usize>(self, simd: S, rows: [&[f32]; ROWS]) -> [[S::f32s; VECTORS]; ROWS];
}

#[derive(Clone, Copy)]
struct Full<'a, V>(&'a [V]);

impl<S: Simd> Panel<S> for Full<'_, S::f32s> {
    #[inline(always)]
    fn sums<const ROWS: usize>(self, simd: S, rows: [&[f32]; ROWS]) -> [[S::f32s; VECTORS]; ROWS] {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (input, weights) in self.0.as_chunks::<VECTORS>().0.iter().enumerate().take(rows[0].len()) {
            for row in 0..ROWS {
                let value = simd.splat_f32s(rows[row][input]);
                for vector in 0..VECTORS {
                    sums[row][vector] = simd.mul_add_f32s(value, weights[vector], sums[row][vector]);
                }
            }
        }
        sums
    }
}

#[derive(Clone, Copy)]
struct Half<'a, V>(&'a [V]);

impl<S: Simd> Panel<S> for Half<'_, S::u32s> {
    #[inline(always)]
    fn sums<const ROWS: usize>(self, simd: S, rows: [&[f32]; ROWS]) -> [[S::f32s; VECTORS]; ROWS] {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        let (shift, upper) = (simd.splat_u32s(16), simd.splat_u32s(0xffff_0000));
        let (pairs, inputs) = (self.0.as_chunks::<VECTORS>().0, rows[0].len());
        for (pair, weights) in pairs.iter().enumerate().take(inputs / 2) {
            let first = weights.map(|both| simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(both, shift)));
            let second = weights.map(|both| simd.transmute_f32s_u32s(simd.and_u32s(both, upper)));
            for row in 0..ROWS {
                let values = [rows[row][2 * pair], rows[row][2 * pair + 1]].map(|value| simd.splat_f32s(value));
                for vector in 0..VECTORS {
                    let sum = simd.mul_add_f32s(values[0], first[vector], sums[row][vector]);
                    sums[row][vector] = simd.mul_add_f32s(values[1], second[vector], sum);
                }
            }
        }
        if !inputs.is_multiple_of(2) {
            for row in 0..ROWS {
                let value = simd.splat_f32s(rows[row][inputs - 1]);
                for vector in 0..VECTORS {
                    let weight = simd.wrapping_dyn_shl_u32s(pairs[inputs / 2][vector], shift);
                    sums[row][vector] = simd.mul_add_f32s(value, simd.transmute_f32s_u32s(weight), sums[row][vector]);
                }
            }
        }
        sums
    }
}

/// One panel's share of the outputs.
struct Tile {
    inputs: usize,
    outputs: usize,
    column: usize,
    used: usize,
    add: bool,
}

impl Tile {
    #[inline(always)]
    fn all<S: Simd>(&self, simd: S, panel: impl Panel<S>, rows: &[f32], out: &mut [f32]) {
        let count = rows.len() / self.inputs;
        let mut row = 0;
        while row < count {
            let rows = &rows[row * self.inputs..];
            let out = &mut out[row * self.outputs..];
            // Eight rows of accumulators fit 32 registers, four fit 16.
            let left = (count - row).min(if S::REGISTER_COUNT >= 32 { 8 } else { 4 });
            row += left;
            match left {
                1 => self.run::<S, 1>(simd, panel, rows, out),
                2 => self.run::<S, 2>(simd, panel, rows, out),
                3 => self.run::<S, 3>(simd, panel, rows, out),
                4 => self.run::<S, 4>(simd, panel, rows, out),
                5 => self.run::<S, 5>(simd, panel, rows, out),
                6 => self.run::<S, 6>(simd, panel, rows, out),
                7 => self.run::<S, 7>(simd, panel, rows, out),
                _ => self.run::<S, 8>(simd, panel, rows, out),
            }
        }
    }

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(&self, simd: S, panel: impl Panel<S>, rows: &[f32], out: &mut [f32]) {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &rows[row * self.inputs..][..self.inputs]);
        let sums = panel.sums(simd, rows);
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
        for precision in [Precision::Fp32, Precision::Bf16] {
            for (inputs, outputs) in [(1, 1), (5, 47), (7, 48), (16, 100)] {
                let matrix: Vec<f32> = (0..inputs * outputs).map(|i| (i % 13) as f32 - 6.0).collect();
                let packed = Packed::new(View::new(&matrix, inputs, outputs, outputs), precision);
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

    #[test]
    fn bfloat16_is_the_nearest_one() {
        let cases =
            [(1.0, 1.0), (1.0 + 1.0 / 256.0, 1.0), (1.0 + 3.0 / 256.0, 1.015_625), (-3.013, -3.015_625), (0.0, 0.0)];
        for (value, expected) in cases {
            assert_eq!(f32::from_bits(bf16(value) << 16), expected, "{value}");
        }
        assert_eq!(f32::from_bits(bf16(f32::MAX) << 16), f32::INFINITY);
        assert!(f32::from_bits(bf16(f32::NAN) << 16).is_nan());
    }
}
