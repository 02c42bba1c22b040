//! What the forward pass keeps for the backward pass.
//!
//! Buffers stay allocated between micro-batches. In the last layer everything after attention exists for rows with targets only.

/// Activations of a micro-batch.
#[derive(Default)]
pub(crate) struct Tape {
    pub(crate) layers: Vec<LayerTape>,
    /// Output of the last layer, for rows with targets.
    pub(crate) last: Vec<f32>,
}

/// Activations of a layer.
#[derive(Default)]
pub(crate) struct LayerTape {
    /// Input to the layer.
    pub(crate) input: Vec<f32>,
    pub(crate) input_scales: Vec<f32>,
    pub(crate) normed_input: Vec<f32>,
    pub(crate) qkv: Vec<f32>,
    /// Normed and rotated.
    pub(crate) queries: Vec<f32>,
    pub(crate) query_scales: Vec<f32>,
    /// Normed and rotated.
    pub(crate) keys: Vec<f32>,
    pub(crate) key_scales: Vec<f32>,
    pub(crate) context: Vec<f32>,
    pub(crate) log_sums: Vec<f32>,
    /// The rows of `context` with targets; in the last layer only.
    pub(crate) picked_context: Vec<f32>,
    /// Input plus attention.
    pub(crate) middle: Vec<f32>,
    pub(crate) middle_scales: Vec<f32>,
    pub(crate) normed_middle: Vec<f32>,
    pub(crate) gate_up: Vec<f32>,
    pub(crate) gated: Vec<f32>,
}

/// Makes the buffer this long; old values stay, what is new is zero.
pub(crate) fn sized(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    buffer.resize(length, 0.0);
    buffer
}

/// Copies the chosen rows.
pub(crate) fn pick(from: &[f32], rows: impl ExactSizeIterator<Item = usize>, width: usize, to: &mut Vec<f32>) {
    let to = sized(to, rows.len() * width);
    for (to, row) in to.chunks_exact_mut(width).zip(rows) {
        to.copy_from_slice(&from[row * width..][..width]);
    }
}

/// The inverse of [`pick`]: rows that were not chosen are zero.
pub(crate) fn spread(from: &[f32], rows: impl Iterator<Item = usize>, width: usize, to: &mut [f32]) {
    to.fill(0.0);
    for (from, row) in from.chunks_exact(width).zip(rows) {
        to[row * width..][..width].copy_from_slice(from);
    }
}
