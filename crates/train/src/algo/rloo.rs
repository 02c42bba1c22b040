//! `A_i = r_i - mean of the other rewards = n/(n-1) · (r_i - mean(r))`: leave-one-out baseline (RLOO, arXiv 2402.14740,
//! section 3.2). The baseline of an episode does not contain its own reward, so that the gradient is unbiased for every `n`.

use super::{Estimator, mean};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Rloo;

impl Estimator for Rloo {
    fn name(&self) -> &'static str {
        "rloo"
    }

    fn advantages(&self, rewards: &[f64]) -> Vec<f64> {
        let mean = mean(rewards);
        let count = rewards.len() as f64;
        rewards.iter().map(|reward| count / (count - 1.0) * (reward - mean)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_is_the_mean_of_the_others() {
        let advantages = Rloo.advantages(&[1.0, 0.0, 0.5]);
        for (advantage, expected) in advantages.iter().zip([0.75, -0.75, 0.0]) {
            assert!((advantage - expected).abs() < 1e-12);
        }
    }
}
