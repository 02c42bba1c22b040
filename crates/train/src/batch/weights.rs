//! What one token of each skill weighs in an optimiser step.
//!
//! Without quotas a skill's share `s` of the loss is its share of the tokens (or episodes). With quotas, relative quotas `q`
//! are normalised over the skills that have signal in this step, and the tokens of a skill weigh `min(q / s, max_boost)` times
//! as much. Sets without signal are gone by then, so that a skill whose groups seldom have signal still gets its quota.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{BatchConfig, Normalisation};

/// How much of an optimiser step belongs to a skill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    /// Episodes.
    pub episodes: usize,
    /// Sampled tokens.
    pub tokens: usize,
    /// Share of the loss weight, from 0 to 1.
    pub weight: f64,
}

impl Share {
    fn mass(&self, normalisation: Normalisation) -> f64 {
        match normalisation {
            Normalisation::TokenMean => self.tokens as f64,
            Normalisation::SequenceMean => self.episodes as f64,
        }
    }
}

/// Sets `weight` of every share.
pub(super) fn assign(shares: &mut BTreeMap<String, Share>, config: &BatchConfig) {
    let total: f64 = shares.values().map(|share| share.mass(config.normalisation)).sum();
    let quota = |skill: &str| config.quotas.get(skill).copied().unwrap_or(1.0).max(0.0);
    let quotas: f64 = shares.keys().map(|skill| quota(skill)).sum();
    for (skill, share) in shares.iter_mut() {
        let natural = share.mass(config.normalisation) / total;
        share.weight = match config.balance && quotas > 0.0 {
            true => (quota(skill) / quotas).min(natural * config.max_boost),
            false => natural,
        };
    }
}

/// The weight of one token of an episode with `tokens` sampled tokens.
pub(super) fn of_token(share: &Share, tokens: usize, normalisation: Normalisation) -> f32 {
    let weight = match normalisation {
        Normalisation::TokenMean => share.weight / share.tokens as f64,
        Normalisation::SequenceMean => share.weight / share.episodes as f64 / tokens as f64,
    };
    weight as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(tokens: &[(&str, usize)]) -> BTreeMap<String, Share> {
        let share = |tokens| Share { episodes: 1, tokens, weight: 0.0 };
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
