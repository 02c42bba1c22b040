//! What one token of each skill weighs in an optimiser step.
//!
//! Without quotas a skill's share `s` of the loss is its share of the tokens (or episodes). With quotas, relative quotas `q`
//! are normalised over the skills that have signal in this step, and the tokens of a skill weigh `min(q / s, max_boost)` times
//! as much. Sets without signal are gone by then, so that a skill whose groups seldom have signal still gets its quota.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{BatchConfig, Reduction};

/// How much of an optimiser step belongs to a skill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    /// Episodes.
    pub episodes: usize,
    /// Sampled tokens.
    pub tokens: usize,
    /// Share of the loss weight, from 0 to 1.
    pub weight: f64,
    /// Sum over targets of weight times the size of the advantage. It bounds what a skill adds to the gradient and is not its
    /// norm: targets may pull in different directions.
    pub pull: f64,
}

impl Share {
    fn mass(&self, reduction: Reduction) -> f64 {
        match reduction {
            Reduction::Token => self.tokens as f64,
            Reduction::Sequence | Reduction::Batch => self.episodes as f64,
        }
    }
}

/// Sets `weight` of every share.
pub(super) fn assign(shares: &mut BTreeMap<String, Share>, config: &BatchConfig) {
    let total: f64 = shares.values().map(|share| share.mass(config.reduction)).sum();
    let quota = |skill: &str| config.quotas.get(skill).copied().unwrap_or(1.0).max(0.0);
    let quotas: f64 = shares.keys().map(|skill| quota(skill)).sum();
    for (skill, share) in shares.iter_mut() {
        let natural = share.mass(config.reduction) / total;
        share.weight = match config.balance && quotas > 0.0 {
            true => (quota(skill) / quotas).min(natural * config.max_boost),
            false => natural,
        };
    }
}

/// The weight of one token of an episode with `tokens` sampled tokens.
pub(super) fn of_token(share: &Share, tokens: usize, config: &BatchConfig) -> f32 {
    let weight = match config.reduction {
        Reduction::Token => share.weight / share.tokens as f64,
        Reduction::Sequence => share.weight / share.episodes as f64 / tokens as f64,
        Reduction::Batch => share.weight / share.episodes as f64 / config.episode_tokens as f64,
    };
    weight as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One skill, two episodes of 10 and 30 tokens: what a token of each weighs.
    #[test]
    fn a_token_weighs_what_the_formula_of_its_reduction_says() {
        let weights = |reduction| {
            let config = BatchConfig { reduction, episode_tokens: 50, ..BatchConfig::default() };
            let share = Share { episodes: 2, tokens: 40, weight: 0.0, pull: 0.0 };
            let mut shares = BTreeMap::from([("edit".to_owned(), share)]);
            assign(&mut shares, &config);
            [10, 30].map(|tokens| of_token(&shares["edit"], tokens, &config))
        };
        assert_eq!(weights(Reduction::Token), [1.0 / 40.0, 1.0 / 40.0]);
        assert_eq!(weights(Reduction::Sequence), [0.5 / 10.0, 0.5 / 30.0]);
        assert_eq!(weights(Reduction::Batch), [0.5 / 50.0, 0.5 / 50.0]);
    }

    fn shares(tokens: &[(&str, usize)]) -> BTreeMap<String, Share> {
        let share = |tokens| Share { episodes: 1, tokens, weight: 0.0, pull: 0.0 };
        tokens.iter().map(|(skill, tokens)| ((*skill).to_owned(), share(*tokens))).collect()
    }

    #[test]
    fn a_rare_skill_gets_its_quota() {
        let mut shares = shares(&[("edit", 300), ("review", 100)]);
        assign(&mut shares, &BatchConfig::default());
        assert_eq!((shares["edit"].weight, shares["review"].weight), (0.5, 0.5));
    }

    #[test]
    fn quotas_are_relative_and_normalised_over_the_skills_that_are_there() {
        let quotas = [("edit", 3.0), ("repro", 5.0)].map(|(skill, quota)| (skill.to_owned(), quota)).into();
        let mut shares = shares(&[("edit", 100), ("review", 100)]);
        assign(&mut shares, &BatchConfig { quotas, ..BatchConfig::default() });
        assert_eq!((shares["edit"].weight, shares["review"].weight), (0.75, 0.25));
    }

    #[test]
    fn one_lucky_group_is_not_blown_up_beyond_the_cap() {
        let mut shares = shares(&[("edit", 990), ("review", 10)]);
        assign(&mut shares, &BatchConfig::default());
        assert_eq!((shares["edit"].weight, shares["review"].weight), (0.5, 0.04));
    }

    #[test]
    fn without_balance_every_token_weighs_the_same() {
        let mut shares = shares(&[("edit", 300), ("review", 100)]);
        assign(&mut shares, &BatchConfig { balance: false, ..BatchConfig::default() });
        assert_eq!((shares["edit"].weight, shares["review"].weight), (0.75, 0.25));
    }
}
