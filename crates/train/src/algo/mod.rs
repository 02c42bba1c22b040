//! From rewards to advantages: one file per estimator, and what is done with groups before and after. No tensors.

mod group_mean;
mod grpo;
mod max_likelihood;
mod rloo;
mod signal;
#[cfg(test)]
mod unbiased_tests;

pub use group_mean::GroupMean;
pub use grpo::Grpo;
pub use max_likelihood::MaxLikelihood;
pub use rloo::Rloo;
pub use signal::{Credit, Signal, SkillSignal, signal};

/// Gives each of several comparable episodes its advantage.
pub trait Estimator: Send + Sync {
    /// The name under which it is selected and recorded.
    fn name(&self) -> &'static str;

    /// Whether rewards of twice the range give advantages twice as large.
    fn has_scale_of_reward(&self) -> bool {
        true
    }

    /// One advantage per reward. The rewards are those of the valid episodes that are compared with each other; at least two.
    fn advantages(&self, rewards: &[f64]) -> Vec<f64>;
}

/// Every estimator; the first is the default.
pub const ALL: &[&dyn Estimator] = &[&GroupMean, &Grpo, &Rloo, &MaxLikelihood];

/// The estimator called `name`.
pub fn find(name: &str) -> Option<&'static dyn Estimator> {
    ALL.iter().copied().find(|estimator| estimator.name() == name)
}

/// The arithmetic mean; rewards are never empty here.
fn mean(rewards: &[f64]) -> f64 {
    rewards.iter().sum::<f64>() / rewards.len() as f64
}
