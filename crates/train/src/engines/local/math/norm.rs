//! Root-mean-square norm of rows, and its gradient.

use pulp::Simd;

use super::vector::{dot, dot3};
use super::vectorize::vectorize;

vectorize! {
    /// `out = x / rms(x) · weight` for each row; `scales` gets `1 / rms`.
    pub(crate) fn forward(simd, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32], scales: &mut [f32]) {
        let width = weight.len();
        for ((x, out), scale) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).zip(scales) {
            *scale = inverse_rms(simd, x, epsilon);
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = weight * (x * *scale);
            }
        }
    }

    /// Adds to `grad_x` and `grad_weight` what `grad_out` means for them.
    pub(crate) fn backward(
        simd,
        grad_out: &[f32],
        x: &[f32],
        weight: &[f32],
        scales: &[f32],
        grad_x: &mut [f32],
        grad_weight: &mut [f32],
    ) {
        let width = weight.len();
        let rows = grad_out.chunks_exact(width).zip(x.chunks_exact(width)).zip(grad_x.chunks_exact_mut(width)).zip(scales);
        for (((grad_out, x), grad_x), &scale) in rows {
            let along = dot3(simd, grad_out, weight, x) * scale * scale / width as f32;
            let row = grad_x.iter_mut().zip(grad_weight.iter_mut()).zip(grad_out.iter().zip(x).zip(weight));
            for ((grad_x, grad_weight), ((grad_out, x), weight)) in row {
                *grad_x += scale * (grad_out * weight - x * along);
                *grad_weight += grad_out * x * scale;
            }
        }
    }
}

/// `1 / rms(x)`.
#[inline(always)]
pub(super) fn inverse_rms<S: Simd>(simd: S, x: &[f32], epsilon: f32) -> f32 {
    1.0 / (dot(simd, x, x) / x.len() as f32 + epsilon).sqrt()
}
