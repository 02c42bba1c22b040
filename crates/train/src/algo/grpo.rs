//! `A_i = (r_i - mean(r)) / (std(r) + 10⁻⁶)` with the standard deviation of the group as a population: GRPO (DeepSeekMath,
//! arXiv 2402.03300, section 4.1.2). Every group with signal counts the same, however seldom it succeeds; the scale of the
//! reward (±1 or 0/1) does not matter.

use super::{Estimator, mean};

/// Keeps the division finite; far below the deviation of any group with signal.
const EPSILON: f64 = 1e-6;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Grpo;

impl Estimator for Grpo {
    fn name(&self) -> &'static str {
        "grpo"
    }

    fn has_scale_of_reward(&self) -> bool {
        false
    }

    fn advantages(&self, rewards: &[f64]) -> Vec<f64> {
        let mean = mean(rewards);
        let variance = rewards.iter().map(|reward| (reward - mean).powi(2)).sum::<f64>() / rewards.len() as f64;
        rewards.iter().map(|reward| (reward - mean) / (variance.sqrt() + EPSILON)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_of_the_group_is_divided_out() {
        let advantages = Grpo.advantages(&[1.0, 0.0, 0.0, 0.0]);
        let expected = [3f64.sqrt(), -1.0 / 3f64.sqrt()];
        assert!((advantages[0] - expected[0]).abs() < 1e-5 && (advantages[1] - expected[1]).abs() < 1e-5);
    }

    #[test]
    fn the_scale_of_the_reward_does_not_matter() {
        let (wide, narrow) = (Grpo.advantages(&[1.0, -1.0, -1.0]), Grpo.advantages(&[1.0, 0.0, 0.0]));
        assert!(wide.iter().zip(&narrow).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
