//! Whether a text is the copy of another one, by tokens in which names do not count.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Similarity from which a helper is a copy: twice the common tokens by all tokens.
const COPY: f64 = 0.6;
/// Shorter functions resemble each other by chance.
const FEWEST_TOKENS: usize = 12;

/// Whether a text resembles another one that is long enough to be recognised.
pub(super) fn is_copy(original: &[String], text: &[String]) -> bool {
    original.len() >= FEWEST_TOKENS && similarity(original, text) >= COPY
}

fn similarity(one: &[String], other: &[String]) -> f64 {
    let common: usize = capture_diff_slices(Algorithm::Lcs, one, other)
        .iter()
        .map(|op| if let DiffOp::Equal { len, .. } = op { *len } else { 0 })
        .sum();
    2.0 * common as f64 / (one.len() + other.len()).max(1) as f64
}
