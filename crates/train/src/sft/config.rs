//! Settings of supervised training.

use serde::{Deserialize, Serialize};

use super::SftError;
use crate::optimizer::OptimizerConfig;

/// Settings of [`super::train`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SftConfig {
    /// Passes over the episodes. Default 2.
    pub epochs: u32,
    /// Peak learning rate. Default 2e-3, which suits a model of one to two million parameters from nothing.
    pub learning_rate: f64,
    /// Share of all steps in which the learning rate rises linearly from 0. Default 0.03.
    pub warmup: f64,
    /// Learning rate at the end of the cosine, as a share of the peak. Default 0.05.
    pub final_share: f64,
    /// Ids of one optimiser step, prompts and observations included; the last episode may exceed it. Default 1024.
    pub batch_tokens: usize,
    /// Weight of ids that the model reads, prompts and observations, relative to those it writes. Names that come again in what
    /// is read teach copying long before the turns alone do. Default 0.1.
    pub context_weight: f32,
    /// Share of the tasks whose episodes are kept for measuring the loss. Default 0.02.
    pub held_out: f64,
    /// Seed of the split and of the order. Default 1.
    pub seed: u64,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
}

impl Default for SftConfig {
    fn default() -> Self {
        Self {
            epochs: 2,
            learning_rate: 2e-3,
            warmup: 0.03,
            final_share: 0.05,
            batch_tokens: 1024,
            context_weight: 0.1,
            held_out: 0.02,
            seed: 1,
            optimizer: OptimizerConfig { weight_decay: 0.05, ..OptimizerConfig::default() },
        }
    }
}

impl SftConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`SftError::Setting`] with the first one.
    pub fn check(&self) -> Result<(), SftError> {
        let share = 0.0..=1.0;
        let rules = [
            ("epochs", self.epochs >= 1, "at least 1"),
            ("learning_rate", self.learning_rate > 0.0 && self.learning_rate.is_finite(), "above 0"),
            ("warmup", share.contains(&self.warmup), "from 0 to 1"),
            ("final_share", share.contains(&self.final_share), "from 0 to 1"),
            ("batch_tokens", self.batch_tokens >= 1, "at least 1"),
            ("context_weight", (0.0..=1.0).contains(&self.context_weight), "from 0 to 1"),
            ("held_out", (0.0..=0.5).contains(&self.held_out), "from 0 to 0.5"),
        ];
        match rules.iter().find(|(_, holds, _)| !holds) {
            Some((name, _, expected)) => Err(SftError::Setting { name, expected }),
            None => Ok(()),
        }
    }
}
