//! Losses: one file per formula, for one target. No tensors; an engine multiplies by weights, sums, and goes back through the
//! model.

mod cispo;
mod clipped_ratio;
mod cross_entropy;
mod tally;

/// The loss, summed over targets with their weights; the caller folds any normalisation into the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// `-w · log p`.
    CrossEntropy,
    /// `-w · min(r·A, clip(r, low, high)·A)` with `r = p / p_old`.
    ClippedRatio {
        /// Lower bound of the ratio, for example 0.8.
        low: f32,
        /// Upper bound of the ratio, for example 1.28.
        high: f32,
    },
    /// `-w · stop_gradient(clip(r, low, high)) · A · log p` with `r = p / p_old`.
    Cispo {
        /// Lower bound of the ratio, for example 0.
        low: f32,
        /// Upper bound of the ratio, for example 1.28.
        high: f32,
    },
}

/// What is known of one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Log-probability under the weights in training.
    pub logprob: f32,
    /// Log-probability under the policy that the ratio compares with.
    pub old_logprob: f32,
    /// How much better than expected it was.
    pub advantage: f32,
}

/// What one target adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The loss.
    pub loss: f32,
    /// Minus the derivative of the loss by the log-probability.
    pub pull: f32,
    /// Whether a bound of the ratio acted.
    pub clipped: bool,
}

impl Loss {
    /// The loss of one target, without its weight.
    pub fn term(self, sample: Sample) -> Term {
        match self {
            Self::CrossEntropy => cross_entropy::term(sample),
            Self::ClippedRatio { low, high } => clipped_ratio::term(sample, low, high),
            Self::Cispo { low, high } => cispo::term(sample, low, high),
        }
    }

    /// Whether it reads old log-probabilities and advantages.
    pub fn compares(self) -> bool {
        self != Self::CrossEntropy
    }
}

impl Sample {
    fn ratio(&self) -> f32 {
        (self.logprob - self.old_logprob).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivative of the loss by the log-probability, measured.
    fn slope(loss: Loss, sample: Sample) -> f32 {
        let at = |shift: f32| loss.term(Sample { logprob: sample.logprob + shift, ..sample }).loss;
        (at(1e-3) - at(-1e-3)) / 2e-3
    }

    #[test]
    fn the_pull_is_minus_the_derivative_of_the_loss() {
        for ratio in [0.5_f32, 0.9, 1.1, 1.6] {
            for advantage in [-0.75, 0.25] {
                let sample = Sample { logprob: ratio.ln() - 1.0, old_logprob: -1.0, advantage };
                for loss in [Loss::CrossEntropy, Loss::ClippedRatio { low: 0.8, high: 1.28 }] {
                    let term = loss.term(sample);
                    assert!((term.pull + slope(loss, sample)).abs() < 1e-3, "{loss:?} {sample:?} {term:?}");
                }
            }
        }
    }
}
