//! The gate of the feed-forward layer, `silu(gate) · up`, and its gradient. A row has all gates, then all ups.

use super::vector::{LANES, exp};
use super::vectorize::vectorize;

vectorize! {
    /// `out = silu(gate) · up`.
    pub(crate) fn forward(_simd, gate_up: &[f32], width: usize, out: &mut [f32]) {
        for (row, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate / (1.0 + exp(-gate)) * up;
            }
        }
    }

    /// Writes the gradients of gates and ups.
    pub(crate) fn backward(_simd, grad_out: &[f32], gate_up: &[f32], width: usize, grad_gate_up: &mut [f32]) {
        let rows = grad_out.chunks_exact(width).zip(gate_up.chunks_exact(2 * width));
        for ((grad_out, row), grad_row) in rows.zip(grad_gate_up.chunks_exact_mut(2 * width)) {
            let (gates, ups) = row.split_at(width);
            let (grad_gates, grad_ups) = grad_row.split_at_mut(width);
            let whole = width / LANES * LANES;
            for at in (0..whole).step_by(LANES) {
                // Values, not slices: the compiler vectorises when it need not ask what overlaps.
                let load = |from: &[f32]| -> [f32; LANES] { std::array::from_fn(|lane| from[at + lane]) };
                let (gate, up, grad) = (load(gates), load(ups), load(grad_out));
                let (mut grad_gate, mut grad_up) = ([0.0; LANES], [0.0; LANES]);
                for lane in 0..LANES {
                    [grad_gate[lane], grad_up[lane]] = slopes(gate[lane], up[lane], grad[lane]);
                }
                grad_gates[at..at + LANES].copy_from_slice(&grad_gate);
                grad_ups[at..at + LANES].copy_from_slice(&grad_up);
            }
            for at in whole..width {
                [grad_gates[at], grad_ups[at]] = slopes(gates[at], ups[at], grad_out[at]);
            }
        }
    }
}

/// Gradients of a gate and an up.
#[inline(always)]
fn slopes(gate: f32, up: f32, grad: f32) -> [f32; 2] {
    let sigmoid = 1.0 / (1.0 + exp(-gate));
    [grad * up * sigmoid * (1.0 + gate * (1.0 - sigmoid)), grad * gate * sigmoid]
}
