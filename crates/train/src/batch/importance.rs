//! Truncated importance weights between who sampled and who trains: `w ← w · min(p_start / p_sampler, cap)`, and from then on
//! ratios are taken against `p_start`, the policy at the start of the iteration: the decoupled objective of AReaL
//! (arXiv 2505.24298, equation 5), its weights truncated as in IMPALA (arXiv 1802.01561, section 4.1).
//!
//! Without it the bounds of the loss hold a stale or differently rounded sampler against what only the new steps should
//! answer for. A cap of 1 never lets a target weigh more than it did.

use crate::engines::Datum;

/// What the weights did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Importance {
    /// Targets with a weight.
    pub targets: usize,
    /// Targets whose weight was cut off.
    pub truncated: usize,
    /// Sum over targets of the importance weight after truncation.
    pub weight: f64,
    /// Sum over targets of `|log p_start - log p_sampler|`.
    pub distance: f64,
}

impl std::ops::Add for Importance {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            targets: self.targets + other.targets,
            truncated: self.truncated + other.truncated,
            weight: self.weight + other.weight,
            distance: self.distance + other.distance,
        }
    }
}

/// Changes weights and old log-probabilities of `batch`; `start` has the log-probabilities under the policy that begins to
/// train, one per target of each datum.
pub fn truncate(batch: &mut [Datum], start: &[Vec<f32>], cap: f32) -> Importance {
    let mut seen = Importance::default();
    for (datum, start) in batch.iter_mut().zip(start) {
        for (at, start) in start.iter().enumerate() {
            if datum.weights[at] == 0.0 {
                continue;
            }
            let log_ratio = start - datum.old_logprobs[at];
            let ratio = log_ratio.exp();
            datum.weights[at] *= ratio.min(cap);
            datum.old_logprobs[at] = *start;
            seen.targets += 1;
            seen.truncated += usize::from(ratio > cap);
            seen.weight += f64::from(ratio.min(cap));
            seen.distance += f64::from(log_ratio.abs());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_weighs_as_much_more_as_it_became_likelier_up_to_the_cap() {
        let quarter = 0.25_f32.ln();
        let datum = Datum {
            ids: vec![1, 2, 3, 4],
            weights: vec![0.5, 0.0, 0.5],
            old_logprobs: vec![quarter; 3],
            advantages: vec![1.0; 3],
        };
        let mut batch = [datum];
        let start = vec![vec![0.125_f32.ln(), 0.0, 0.75_f32.ln()]];
        let seen = truncate(&mut batch, &start, 2.0);
        // Half as likely, untouched, three times as likely.
        assert_eq!(batch[0].weights, [0.25, 0.0, 1.0]);
        assert_eq!(batch[0].old_logprobs, [0.125_f32.ln(), quarter, 0.75_f32.ln()]);
        assert_eq!((seen.targets, seen.truncated, seen.weight), (2, 1, 2.5));
        assert!((seen.distance - (2.0_f64.ln() + 3.0_f64.ln())).abs() < 1e-6);
    }
}
