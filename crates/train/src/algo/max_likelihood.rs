//! `A_i = (s_i - p) / p` with `s_i = 1` for a reward above 0, else 0, and `p` the mean of the `s_i`: MaxRL (*Maximum Likelihood
//! Reinforcement Learning*, arXiv 2602.02710), the variant with variance reduction. Where the group mean follows the gradient
//! of the success rate `P`, this follows that of the maximum-likelihood objective `log P`, cut off after as many terms as the
//! group has episodes: a task that succeeds seldom weighs more, by `1 / P` in the limit. Advantages of a group sum to zero.
//!
//! The reward is read as success or failure, so its scale (±1 or 0/1) does not matter. Without success all advantages are 0.

use super::{Estimator, mean};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct MaxLikelihood;

impl Estimator for MaxLikelihood {
    fn name(&self) -> &'static str {
        "max_likelihood"
    }

    fn has_scale_of_reward(&self) -> bool {
        false
    }

    fn advantages(&self, rewards: &[f64]) -> Vec<f64> {
        let successes: Vec<f64> = rewards.iter().map(|reward| f64::from(u8::from(*reward > 0.0))).collect();
        let rate = mean(&successes);
        if rate == 0.0 {
            return vec![0.0; rewards.len()];
        }
        successes.iter().map(|success| (success - rate) / rate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_among_four_earns_three_and_the_others_lose_one() {
        assert_eq!(MaxLikelihood.advantages(&[1.0, 0.0, 0.0, 0.0]), [3.0, -1.0, -1.0, -1.0]);
    }

    #[test]
    fn rewards_of_plus_and_minus_one_count_as_success_and_failure() {
        assert_eq!(MaxLikelihood.advantages(&[1.0, 1.0, -1.0, 1.0]), MaxLikelihood.advantages(&[1.0, 1.0, 0.0, 1.0]));
    }

    #[test]
    fn without_success_there_is_nothing_to_imitate() {
        assert_eq!(MaxLikelihood.advantages(&[0.0, -1.0]), [0.0, 0.0]);
    }
}
