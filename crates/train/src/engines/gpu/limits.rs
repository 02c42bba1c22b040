//! What bounds the memory of the device: how much is computed at once. Results depend on it by rounding alone.

/// How much is computed at once; each is exceeded where one row or sequence alone has more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Ids of a micro-batch in training, padding included.
    pub(super) training_ids: usize,
    /// Logits; in training some four times as many numbers exist.
    pub(super) logits: usize,
    /// Ids of prompts, padding included.
    pub(super) prompt_ids: usize,
    /// Sequences that are sampled.
    pub(super) sequences: usize,
    /// Bytes of the keys and values of these, as long as they may become; twice as many while sequences come and go.
    pub(super) cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { training_ids: 4096, logits: 1 << 27, prompt_ids: 2048, sequences: 64, cache_bytes: 8 << 30 }
    }
}
