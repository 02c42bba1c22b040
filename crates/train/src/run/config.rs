//! Settings of joint training.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CurriculumConfig, Deadlines, TrainError};
use crate::algo;
use crate::batch::{BatchConfig, Reduction};
use crate::engines::Loss;
use crate::optimizer::OptimizerConfig;
use crate::policy::SamplingOptions;

/// Names of the losses; the first is the default.
pub const LOSSES: [&str; 2] = ["clip", "cispo"];

/// Settings of [`super::train()`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Seed of everything random. Default 1.
    pub seed: u64,
    /// Iterations: rollout, then optimiser steps. Default 40.
    pub iterations: u32,
    /// Episodes per task and iteration, compared with each other. Default 8.
    pub group: u32,
    /// Tasks per skill and iteration. A pair counts as two and stays together, so that one more may come. Default 6.
    pub tasks_per_skill: usize,
    /// Tasks per iteration for single skills, instead of `tasks_per_skill`; 0 leaves a skill out. Default empty.
    pub tasks: BTreeMap<String, usize>,
    /// Which tasks come less often.
    pub curriculum: CurriculumConfig,
    /// Iterations by which a token may be older than the weights that train on it. Above 0, rollouts and training overlap, and
    /// [`super::Training`] needs a second engine. Default 0.
    pub max_staleness: u32,
    /// Training ends with the iteration in which so many tokens have been sampled in training; 0 for no such end. Default 0.
    pub token_budget: u64,
    /// Iterations between measurements of the interference matrix; 0 for none. Default 0.
    pub interference_every: u32,
    /// Episodes that are played at once. Default 32: sampling is batched over them.
    pub workers: usize,
    /// Advantage estimator: `group_mean`, `grpo`, `rloo`, `max_likelihood`. Default `group_mean`.
    pub estimator: String,
    /// Whether the tasks of a pair are compared together. Default true.
    pub pair_centred: bool,
    /// Loss: `clip`, `cispo`. Default `clip`.
    pub loss: String,
    /// Lower bound of the probability ratio. Default 0.8.
    pub clip_low: f32,
    /// Upper bound of the probability ratio. Default 1.28.
    pub clip_high: f32,
    /// Price of a nat of distance to the starting policy, see [`crate::batch::reference`]; 0 for none. Default 0.
    pub kl: f32,
    /// Largest importance weight between sampler and trainer, see [`crate::batch::importance`]; 0 for no weights. Default 0.
    pub importance_cap: f32,
    /// Learning rate of the first iteration. Default 3e-4.
    pub learning_rate: f64,
    /// Learning rate of the last iteration as a share of the first, linear in between. Default 1: constant.
    pub final_share: f64,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// Optimiser steps per iteration, quotas and normalisation.
    pub batch: BatchConfig,
    /// How turns are sampled in training.
    pub sampling: SamplingOptions,
    /// Measuring on held-out tasks.
    pub probe: ProbeConfig,
    /// Iterations between checkpoints; there is always one at the end. Default 1.
    pub checkpoint_every: u32,
    /// Newest checkpoints that are kept, beside the best one; at least 1. Default 2.
    pub keep: usize,
    /// Share of invalid episodes in one iteration or probe above which the run stops with an error. Default 0.5.
    pub max_invalid: f64,
    /// Whether episodes of one task that have done the same so far share what that took of sandboxes, see
    /// [`basis_gym::rollout::Sharing`]. Default true.
    pub share_prefixes: bool,
    /// When it is said that a phase takes too long.
    pub deadlines: Deadlines,
}

/// Settings of the held-out probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeConfig {
    /// Iterations between probes, beside those before and after training; 0 for none. Default 0.
    pub every: u32,
    /// Episodes per task: the k of avg@k. Default 3.
    pub k: u32,
    /// Softmax temperature. Default 1, as in training.
    pub temperature: f32,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            iterations: 40,
            group: 8,
            tasks_per_skill: 6,
            tasks: BTreeMap::new(),
            curriculum: CurriculumConfig::default(),
            max_staleness: 0,
            token_budget: 0,
            interference_every: 0,
            workers: 32,
            estimator: algo::ALL[0].name().to_owned(),
            pair_centred: true,
            loss: LOSSES[0].to_owned(),
            clip_low: 0.8,
            clip_high: 1.28,
            kl: 0.0,
            importance_cap: 0.0,
            learning_rate: 3e-4,
            final_share: 1.0,
            optimizer: OptimizerConfig::default(),
            batch: BatchConfig::default(),
            sampling: SamplingOptions::default(),
            probe: ProbeConfig::default(),
            checkpoint_every: 1,
            keep: 2,
            max_invalid: 0.5,
            share_prefixes: true,
            deadlines: Deadlines::default(),
        }
    }
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { every: 0, k: 3, temperature: 1.0 }
    }
}

impl TrainConfig {
    /// The loss of every optimiser step.
    pub fn loss(&self) -> Loss {
        let (low, high) = (self.clip_low, self.clip_high);
        match self.loss.as_str() {
            "cispo" => Loss::Cispo { low, high },
            _ => Loss::ClippedRatio { low, high },
        }
    }

    /// How turns are sampled in probes.
    pub fn probe_sampling(&self) -> SamplingOptions {
        SamplingOptions { temperature: self.probe.temperature, ..self.sampling.clone() }
    }

    /// The learning rate in `iteration`, from 1, before which `spent` tokens were sampled. With a budget of tokens it falls with
    /// these, else with the iterations.
    pub fn learning_rate_in(&self, iteration: u32, spent: u64) -> f64 {
        let progress = match self.token_budget {
            0 => f64::from(iteration.saturating_sub(1)) / f64::from(self.iterations.saturating_sub(1).max(1)),
            budget => spent as f64 / budget as f64,
        };
        self.learning_rate * (1.0 + (self.final_share - 1.0) * progress.min(1.0))
    }

    /// Refuses settings that cannot work or would have no effect on a pack with these skills.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first one.
    pub fn check(&self, skills: &BTreeSet<&str>) -> Result<(), TrainError> {
        let names = || algo::ALL.iter().map(|estimator| estimator.name()).collect::<Vec<_>>().join("`, `");
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let band = &self.curriculum;
        let on_time = self.token_budget == 0 || self.max_staleness == 0;
        let by_batch = self.batch.reduction == Reduction::Batch;
        let rules = [
            ("estimator", algo::find(&self.estimator).is_some(), format!("one of `{}`", names())),
            ("loss", LOSSES.contains(&self.loss.as_str()), format!("one of `{}`", LOSSES.join("`, `"))),
            ("kl", self.kl >= 0.0 && self.kl.is_finite(), "at least 0".to_owned()),
            (
                "importance_cap",
                self.importance_cap == 0.0 || self.max_staleness > 0,
                "0 without staleness: the weights that sample are those that train".to_owned(),
            ),
            ("importance_cap", self.importance_cap >= 0.0 && self.importance_cap.is_finite(), "at least 0".to_owned()),
            ("group", self.group >= 2, "at least 2: advantages compare episodes of one task".to_owned()),
            ("curriculum.low", (0.0..=band.high).contains(&band.low), "from 0 to `curriculum.high`".to_owned()),
            ("curriculum.high", (band.low..=1.0).contains(&band.high), "at most 1".to_owned()),
            ("curriculum.outside", band.outside > 0.0 && band.outside <= 1.0, "above 0 and at most 1".to_owned()),
            ("token_budget", on_time, "0 with staleness: what is sampled ahead would be thrown away".to_owned()),
            ("workers", self.workers >= 1, "at least 1".to_owned()),
            ("clip_low", (0.0..=1.0).contains(&self.clip_low), "from 0 to 1".to_owned()),
            ("clip_high", self.clip_high >= 1.0, "at least 1".to_owned()),
            ("learning_rate", positive(self.learning_rate), "above 0".to_owned()),
            ("final_share", (0.0..=1.0).contains(&self.final_share), "from 0 to 1".to_owned()),
            ("batch.steps", self.batch.steps >= 1, "at least 1".to_owned()),
            ("batch.max_boost", self.batch.max_boost >= 1.0, "at least 1".to_owned()),
            ("batch.quotas", self.batch.quotas.values().all(|quota| positive(*quota)), "above 0".to_owned()),
            ("sampling.temperature", self.sampling.temperature > 0.0, "above 0: training needs samples".to_owned()),
            ("sampling.max_tokens", self.sampling.max_tokens >= 1, "at least 1".to_owned()),
            ("probe.k", self.probe.k >= 1, "at least 1".to_owned()),
            ("probe.temperature", self.probe.temperature >= 0.0, "at least 0".to_owned()),
            ("checkpoint_every", self.checkpoint_every >= 1, "at least 1".to_owned()),
            ("keep", self.keep >= 1, "at least 1".to_owned()),
            ("max_invalid", (0.0..=1.0).contains(&self.max_invalid), "from 0 to 1".to_owned()),
            (
                "batch.episode_tokens",
                by_batch || self.batch.episode_tokens == 0,
                "0: only the reduction `batch` reads it".to_owned(),
            ),
            (
                "batch.episode_tokens",
                !by_batch || self.batch.episode_tokens >= 1,
                "at least 1 with the reduction `batch`".to_owned(),
            ),
            ("batch.balance", self.batch.balance || self.batch.quotas.is_empty(), "on for quotas to act".to_owned()),
        ];
        if let Some((name, _, expected)) = rules.into_iter().find(|(_, holds, _)| !holds) {
            return Err(TrainError::Setting { name: name.to_owned(), expected });
        }
        self.check_skills(skills)
    }

    fn check_skills(&self, skills: &BTreeSet<&str>) -> Result<(), TrainError> {
        let tables = [
            ("tasks", self.tasks.keys().collect::<Vec<_>>()),
            ("batch.quotas", self.batch.quotas.keys().collect()),
            ("batch.advantage_scale", self.batch.advantage_scale.keys().collect()),
        ];
        for (table, named) in tables {
            if let Some(unknown) = named.into_iter().find(|skill| !skills.contains(skill.as_str())) {
                let known = skills.iter().copied().collect::<Vec<_>>().join("`, `");
                let expected = format!("a skill of the training pack: `{known}`");
                return Err(TrainError::Setting { name: format!("{table}.{unknown}"), expected });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &TrainConfig) -> String {
        config.check(&BTreeSet::from(["edit", "review"])).expect_err("is refused").to_string()
    }

    #[test]
    fn the_defaults_are_accepted() {
        TrainConfig::default().check(&BTreeSet::from(["edit"])).expect("defaults work");
    }

    #[test]
    fn a_setting_that_would_have_no_effect_is_refused() {
        let quotas = BTreeMap::from([("edti".to_owned(), 2.0)]);
        let batch = BatchConfig { quotas, ..BatchConfig::default() };
        let text = refusal(&TrainConfig { batch, ..TrainConfig::default() });
        assert_eq!(text, "setting `batch.quotas.edti` must be a skill of the training pack: `edit`, `review`");
    }

    #[test]
    fn the_length_of_an_episode_belongs_to_the_reduction_by_batch() {
        let with = |reduction, episode_tokens| {
            let batch = BatchConfig { reduction, episode_tokens, ..BatchConfig::default() };
            TrainConfig { batch, ..TrainConfig::default() }
        };
        let text = refusal(&with(Reduction::Token, 100));
        assert_eq!(text, "setting `batch.episode_tokens` must be 0: only the reduction `batch` reads it");
        let text = refusal(&with(Reduction::Batch, 0));
        assert_eq!(text, "setting `batch.episode_tokens` must be at least 1 with the reduction `batch`");
        with(Reduction::Batch, 100).check(&BTreeSet::from(["edit"])).expect("belong together");
    }

    #[test]
    fn an_unknown_estimator_is_refused_with_the_known_ones() {
        let text = refusal(&TrainConfig { estimator: "ppo".to_owned(), ..TrainConfig::default() });
        assert_eq!(text, "setting `estimator` must be one of `group_mean`, `grpo`, `rloo`, `max_likelihood`");
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(serde_json::from_str::<TrainConfig>(r#"{"iteratoins": 3}"#).is_err());
    }

    #[test]
    fn the_learning_rate_falls_linearly_to_its_share() {
        let config = TrainConfig { iterations: 5, final_share: 0.5, learning_rate: 1.0, ..TrainConfig::default() };
        assert_eq!([1, 3, 5].map(|iteration| config.learning_rate_in(iteration, 0)), [1.0, 0.75, 0.5]);
        let config = TrainConfig { token_budget: 100, ..config };
        assert_eq!([0, 50, 100, 170].map(|spent| config.learning_rate_in(2, spent)), [1.0, 0.75, 0.5, 0.5]);
    }
}
