//! What a backward pass saw, target by target: the same sums for every engine that computes here.

use super::super::ForwardBackward;
use super::{Loss, Sample};

impl ForwardBackward {
    /// Adds a target with its weight and the entropy of the policy there; gives minus the derivative of its weighted loss by the
    /// log-probability.
    pub(crate) fn add_target(&mut self, loss: Loss, sample: Sample, weight: f32, entropy: f32) -> f32 {
        let term = loss.term(sample);
        if loss.compares() {
            let log_ratio = sample.logprob - sample.old_logprob;
            self.kl += f64::from(log_ratio.exp()) - 1.0 - f64::from(log_ratio);
            self.clipped += usize::from(term.clipped);
        }
        self.loss += f64::from(weight * term.loss);
        self.weight += f64::from(weight);
        self.targets += 1;
        self.entropy += f64::from(entropy);
        weight * term.pull
    }
}
