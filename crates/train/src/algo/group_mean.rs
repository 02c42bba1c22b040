//! `A_i = r_i - mean(r)`: the reward minus the mean of the group, as in *Scaling Coding Agents via Atomic Skills*
//! (arXiv 2604.05013); the same as GRPO without the division, which Dr. GRPO (arXiv 2503.20783, section 3) shows to be a bias
//! towards tasks whose rewards hardly differ. Advantages of a group sum to zero.

use super::{Estimator, mean};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct GroupMean;

impl Estimator for GroupMean {
    fn name(&self) -> &'static str {
        "group_mean"
    }

    fn advantages(&self, rewards: &[f64]) -> Vec<f64> {
        let mean = mean(rewards);
        rewards.iter().map(|reward| reward - mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_among_four_earns_three_quarters() {
        assert_eq!(GroupMean.advantages(&[1.0, 0.0, 0.0, 0.0]), [0.75, -0.25, -0.25, -0.25]);
    }

    #[test]
    fn rewards_of_plus_and_minus_one_keep_their_scale() {
        assert_eq!(GroupMean.advantages(&[1.0, -1.0]), [1.0, -1.0]);
    }
}
