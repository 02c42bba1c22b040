//! How the loss is averaged and how much of it each skill gets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Settings of [`super::batches`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Optimiser steps per iteration; every step sees each skill if it has enough sets with signal. Default 2.
    pub steps: usize,
    /// What one token weighs. Default `token`.
    pub reduction: Reduction,
    /// With [`Reduction::Batch`], the tokens that an episode counts as; else 0. Default 0.
    pub episode_tokens: usize,
    /// Whether each skill gets its quota of the loss, after sets without signal were dropped. Default true.
    pub balance: bool,
    /// Relative quotas by skill; a skill that is not named here has 1. Default empty: all the same.
    pub quotas: BTreeMap<String, f64>,
    /// A skill's tokens weigh at most this many times what they would weigh without quotas, so that one lucky group is not
    /// blown up to a fifth of the loss; what the cap cuts off goes to nobody. Default 4.
    pub max_boost: f64,
    /// Factor on the advantages by skill; a skill that is not named here has 1. `localize` has rewards of ±1, so that its
    /// advantages are twice as large as those of the others under `group_mean` and `rloo`; 0.5 here undoes that.
    /// Default empty.
    pub advantage_scale: BTreeMap<String, f64>,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            steps: 2,
            reduction: Reduction::Token,
            episode_tokens: 0,
            balance: true,
            quotas: BTreeMap::new(),
            max_boost: 4.0,
            advantage_scale: BTreeMap::new(),
        }
    }
}

/// What one token weighs. The weights of one optimiser step sum to 1 under `token` and `sequence`, less what `max_boost` cuts
/// off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// `1 / tokens of the step`: every sampled token the same (DAPO, arXiv 2503.14476, section 3.3); long episodes weigh more.
    #[default]
    Token,
    /// `1 / episodes of the step / tokens of the episode`: every episode the same, its tokens share it (GRPO,
    /// arXiv 2402.03300, equation 3); tokens of long episodes weigh less.
    Sequence,
    /// `1 / episodes of the step / episode_tokens` with a constant: the sum over the batch by a divisor that no length changes
    /// (Dr. GRPO, arXiv 2503.20783, section 3.2). A token weighs the same in every step, however long the others are.
    Batch,
}
