//! What the forward pass keeps for the backward pass.
//!
//! Buffers stay allocated between micro-batches. In the last layer everything after attention exists for rows with targets only. With
//! [`Keep::Inputs`] only what goes into each layer is kept, and the backward pass computes the rest again: the same values, bit for bit, a
//! third more work, and the activations of one layer in memory instead of those of all.

/// What is kept of every layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// All activations.
    Everything,
    /// What goes into the layer.
    Inputs,
}

/// Activations of a micro-batch.
#[derive(Default)]
pub(crate) struct Tape {
    /// Input to each layer.
    pub(crate) inputs: Vec<Vec<f32>>,
    /// Activations of each layer, or of the layer that was computed last.
    layers: Vec<LayerTape>,
    /// Output of the last layer, for rows with targets.
    pub(crate) last: Vec<f32>,
}

/// Activations of a layer.
#[derive(Default)]
pub(crate) struct LayerTape {
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

impl Tape {
    /// Makes room for so many layers.
    pub(crate) fn begin(&mut self, layers: usize, keep: Keep) {
        self.inputs.resize_with(layers, Vec::new);
        self.layers.resize_with(if keep == Keep::Everything { layers } else { 1 }, LayerTape::default);
    }

    /// What goes into a layer, its activations, and what comes out of it.
    pub(crate) fn layer(&mut self, layer: usize) -> (&[f32], &mut LayerTape, &mut Vec<f32>) {
        let (done, rest) = self.inputs.split_at_mut(layer + 1);
        let slot = layer.min(self.layers.len() - 1);
        (&done[layer], &mut self.layers[slot], rest.first_mut().unwrap_or(&mut self.last))
    }

    /// A layer's activations, if they are there; those of the layer that was computed last are.
    pub(crate) fn kept(&self, layer: usize) -> &LayerTape {
        &self.layers[layer.min(self.layers.len() - 1)]
    }
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
