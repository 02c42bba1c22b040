//! Norm of each head followed by the rotary embedding in Hugging Face's layout (first half with second half), and its gradient.

use super::norm::inverse_rms;
use super::vector::dot;
use super::vectorize::vectorize;

/// Sines and cosines of every position and frequency.
#[derive(Clone)]
pub(crate) struct Angles {
    /// Position by position: all cosines, then all sines.
    pub(crate) table: Vec<f32>,
    half: usize,
}

impl Angles {
    /// Angles `position · theta^(-2i / width)` of positions below `context`.
    pub(crate) fn new(context: usize, width: usize, theta: f32) -> Angles {
        let half = width / 2;
        let frequency = |i: usize| 1.0 / theta.powf((2 * i) as f32 / width as f32);
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let mut table = Vec::with_capacity(context * width);
        for position in 0..context {
            let angles = || frequencies.iter().map(|frequency| f64::from(position as f32 * frequency));
            table.extend(angles().map(|angle| angle.cos() as f32));
            table.extend(angles().map(|angle| angle.sin() as f32));
        }
        Angles { table, half }
    }
}

/// The heads of one kind in rows of a wider matrix.
#[derive(Clone, Copy)]
pub(crate) struct Heads {
    /// Where the first head begins in a row.
    pub(crate) begin: usize,
    /// Heads in a row.
    pub(crate) count: usize,
    /// Width of a row.
    pub(crate) stride: usize,
}

vectorize! {
    /// Writes the normed and rotated heads of `rows` to `out`, densely; `scales` gets `1 / rms` of each head.
    #[expect(clippy::too_many_arguments, reason = "a kernel takes slices")]
    pub(crate) fn forward(
        simd,
        rows: &[f32],
        heads: Heads,
        positions: &[u32],
        angles: &Angles,
        weight: &[f32],
        epsilon: f32,
        out: &mut [f32],
        scales: &mut [f32],
    ) {
        let (half, width) = (angles.half, 2 * angles.half);
        let rows = rows.chunks_exact(heads.stride).zip(positions);
        let results = out.chunks_exact_mut(width * heads.count).zip(scales.chunks_exact_mut(heads.count));
        for ((row, &position), (out, scales)) in rows.zip(results) {
            let (cos, sin) = angles.table[position as usize * width..][..width].split_at(half);
            let row = row[heads.begin..][..heads.count * width].chunks_exact(width);
            for ((x, out), scale) in row.zip(out.chunks_exact_mut(width)).zip(scales) {
                *scale = inverse_rms(simd, x, epsilon);
                for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                    *out = weight * (x * *scale);
                }
                rotate(out, cos, sin, 1.0);
            }
        }
    }

    /// Writes the gradient of the heads of `rows` to `grad_rows` (where `rows` has them) and adds that of the weight. Uses up `grad_out`.
    #[expect(clippy::too_many_arguments, reason = "a kernel takes slices")]
    pub(crate) fn backward(
        simd,
        grad_out: &mut [f32],
        rows: &[f32],
        heads: Heads,
        positions: &[u32],
        angles: &Angles,
        weight: &[f32],
        scales: &[f32],
        grad_rows: &mut [f32],
        grad_weight: &mut [f32],
    ) {
        let (half, width) = (angles.half, 2 * angles.half);
        let rows = rows.chunks_exact(heads.stride).zip(grad_rows.chunks_exact_mut(heads.stride)).zip(positions);
        let grads = grad_out.chunks_exact_mut(width * heads.count).zip(scales.chunks_exact(heads.count));
        for (((row, grad_row), &position), (grad_out, scales)) in rows.zip(grads) {
            let (cos, sin) = angles.table[position as usize * width..][..width].split_at(half);
            let row = row[heads.begin..][..heads.count * width].chunks_exact(width);
            let grad_row = grad_row[heads.begin..][..heads.count * width].chunks_exact_mut(width);
            for (((x, grad_x), grad), &scale) in row.zip(grad_row).zip(grad_out.chunks_exact_mut(width)).zip(scales) {
                rotate(grad, cos, sin, -1.0);
                for i in 0..width {
                    grad_weight[i] += grad[i] * x[i] * scale;
                    grad[i] *= weight[i];
                }
                let along = dot(simd, grad, x) * scale * scale / width as f32;
                for i in 0..width {
                    grad_x[i] = scale * (grad[i] - x[i] * along);
                }
            }
        }
    }
}

/// Turns a head by its angles; `direction` is 1 or -1.
#[inline(always)]
fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], direction: f32) {
    const PIECE: usize = 8;
    let (first, second) = head.split_at_mut(cos.len());
    let whole = cos.len() / PIECE * PIECE;
    let pieces = first.as_chunks_mut::<PIECE>().0.iter_mut().zip(second.as_chunks_mut::<PIECE>().0);
    for ((first, second), (cos, sin)) in pieces.zip(cos.as_chunks::<PIECE>().0.iter().zip(sin.as_chunks::<PIECE>().0)) {
        let (a, b) = (*first, *second);
        for i in 0..PIECE {
            first[i] = a[i] * cos[i] - direction * b[i] * sin[i];
            second[i] = b[i] * cos[i] + direction * a[i] * sin[i];
        }
    }
    for i in whole..cos.len() {
        let (a, b) = (first[i], second[i]);
        first[i] = a * cos[i] - direction * b * sin[i];
        second[i] = b * cos[i] + direction * a * sin[i];
    }
}
