//! Softmax of a row of logits.

use super::vector::{LANES, exp, max, total};
use super::vectorize::vectorize;

/// What is known of a row of logits once they are replaced by `exp(logit - largest)`.
pub(crate) struct Softmax {
    pub(crate) sum: f32,
    /// Logarithm of the sum of `exp(logit)`.
    pub(crate) log_sum: f32,
    /// In nats.
    pub(crate) entropy: f32,
}

impl Softmax {
    /// Replaces the logits by `exp(logit - largest)`.
    pub(crate) fn of(logits: &mut [f32]) -> Softmax {
        let mut sums = [0.0; 3];
        soften(logits, &mut sums);
        let [largest, sum, weighted] = sums;
        Softmax { sum, log_sum: largest + sum.ln(), entropy: sum.ln() - weighted / sum }
    }
}

vectorize! {
    /// Replaces logits by `exp(logit - largest)`; gives the largest, the sum, and the sum weighted with `logit - largest`.
    fn soften(_simd, logits: &mut [f32], out: &mut [f32; 3]) {
        let largest = max(logits);
        let (chunks, rest) = logits.as_chunks_mut::<LANES>();
        let (mut sums, mut weighted) = ([0.0; LANES], [0.0; LANES]);
        for chunk in chunks {
            for lane in 0..LANES {
                let below = chunk[lane] - largest;
                chunk[lane] = exp(below);
                sums[lane] += chunk[lane];
                weighted[lane] = chunk[lane].mul_add(below, weighted[lane]);
            }
        }
        *out = [largest, total(&sums), total(&weighted)];
        for logit in rest {
            let below = *logit - largest;
            *logit = exp(below);
            out[1] += *logit;
            out[2] += *logit * below;
        }
    }
}
