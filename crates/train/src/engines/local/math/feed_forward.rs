//! The gate of the feed-forward layer, `silu(gate) · up`, and its gradient. A row has all gates, then all ups.

use super::vector::exp;
use super::vectorize::vectorize;

vectorize! {
    /// `out = silu(gate) · up`.
    pub(crate) fn forward(gate_up: &[f32], width: usize, out: &mut [f32]) {
        for (row, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate / (1.0 + exp(-gate)) * up;
            }
        }
    }

    /// Writes the gradients of gates and ups.
    pub(crate) fn backward(grad_out: &[f32], gate_up: &[f32], width: usize, grad_gate_up: &mut [f32]) {
        let rows = grad_out.chunks_exact(width).zip(gate_up.chunks_exact(2 * width));
        for ((grad_out, row), grad_row) in rows.zip(grad_gate_up.chunks_exact_mut(2 * width)) {
            let (gate, up) = row.split_at(width);
            let (grad_gate, grad_up) = grad_row.split_at_mut(width);
            let values = grad_out.iter().zip(gate).zip(up);
            for (((grad_out, gate), up), (grad_gate, grad_up)) in values.zip(grad_gate.iter_mut().zip(grad_up)) {
                let sigmoid = 1.0 / (1.0 + exp(-gate));
                *grad_up = grad_out * gate * sigmoid;
                *grad_gate = grad_out * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
            }
        }
    }
}
