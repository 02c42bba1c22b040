//! Deals sets of compared episodes out to optimiser steps.

use std::collections::BTreeMap;

use basis_gym::episode::Episode;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::BatchConfig;
use super::datum::{datum, targets};
use super::weights::{Share, assign, of_token};
use crate::algo::{Credit, Signal};
use crate::engines::Datum;

/// What one optimiser step trains on.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The sequences of its episodes.
    pub data: Vec<Datum>,
    /// What each skill has of it.
    pub shares: BTreeMap<String, Share>,
}

/// Makes the batches of one iteration; steps that would be empty are left out.
///
/// Sets stay whole, so that the advantages of a step sum to zero where the estimator's do. They are shuffled by `seed` and
/// dealt out in turn, skill by skill. Episodes without tokens are left out.
pub fn batches(episodes: &[Episode], signal: &Signal, config: &BatchConfig, seed: u64) -> Vec<Batch> {
    let steps = deal(sets(episodes, signal), config.steps.max(1), seed);
    steps.into_iter().map(|credits| batch(episodes, &credits, config)).filter(|batch| !batch.data.is_empty()).collect()
}

/// Sets with signal, per skill.
pub(crate) fn sets<'a>(episodes: &'a [Episode], signal: &Signal) -> BTreeMap<&'a str, Vec<Vec<Credit>>> {
    let mut skills: BTreeMap<&str, Vec<Vec<Credit>>> = BTreeMap::new();
    for credit in &signal.credits {
        let sets = skills.entry(&episodes[credit.episode].skill).or_default();
        match sets.last_mut().filter(|set| set[0].set == credit.set) {
            Some(set) => set.push(*credit),
            None => sets.push(vec![*credit]),
        }
    }
    skills
}

/// The turn goes on from skill to skill, so that single sets do not all land in the first step.
fn deal(skills: BTreeMap<&str, Vec<Vec<Credit>>>, steps: usize, seed: u64) -> Vec<Vec<Credit>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut dealt = vec![Vec::new(); steps];
    let mut turn = 0;
    for mut sets in skills.into_values() {
        sets.shuffle(&mut rng);
        for set in sets {
            dealt[turn % steps].extend(set);
            turn += 1;
        }
    }
    dealt
}

fn batch(episodes: &[Episode], credits: &[Credit], config: &BatchConfig) -> Batch {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    let traced = |credit: &Credit| {
        let episode = &episodes[credit.episode];
        let tokens: usize = episode.sequences().map(targets).sum();
        (tokens > 0).then_some((episode, tokens, credit.advantage))
    };
    let traced: Vec<_> = credits.iter().filter_map(traced).collect();
    for (episode, tokens, _) in &traced {
        let share = shares.entry(episode.skill.clone()).or_default();
        share.episodes += 1;
        share.tokens += tokens;
    }
    assign(&mut shares, config);
    let mut data = Vec::with_capacity(traced.len());
    for (episode, tokens, advantage) in traced {
        let share = shares.get_mut(&episode.skill).expect("every skill was counted");
        let weight = of_token(share, tokens, config);
        let advantage = advantage * config.advantage_scale.get(&episode.skill).copied().unwrap_or(1.0);
        share.pull += f64::from(weight) * tokens as f64 * advantage.abs();
        data.extend(episode.sequences().filter_map(|sequence| datum(sequence, weight, advantage as f32)));
    }
    Batch { data, shares }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algo::{GroupMean, signal};
    use crate::batch::Reduction;
    use crate::testing::sampled;

    fn made(episodes: &[Episode], config: &BatchConfig) -> Vec<Batch> {
        batches(episodes, &signal(episodes, &|_| "", &GroupMean), config, 5)
    }

    /// Six groups of `edit`, two of `review`, four episodes each, of different lengths.
    fn episodes() -> Vec<Episode> {
        let group = |skill: &'static str, task: usize| {
            (0..4).map(move |sample| sampled(skill, &format!("{skill}{task}"), f64::from(sample % 2), 3 + task))
        };
        (0..6).flat_map(|task| group("edit", task)).chain((0..2).flat_map(|task| group("review", task))).collect()
    }

    fn sum(weights: impl Iterator<Item = f32>) -> f64 {
        weights.map(f64::from).sum()
    }

    #[test]
    fn weights_of_a_step_sum_to_one_under_the_means() {
        for reduction in [Reduction::Token, Reduction::Sequence] {
            for batch in made(&episodes(), &BatchConfig { reduction, ..BatchConfig::default() }) {
                let total = sum(batch.data.iter().flat_map(|datum| datum.weights.iter().copied()));
                assert!((total - 1.0).abs() < 1e-5, "{reduction:?}: {total}");
            }
        }
    }

    #[test]
    fn every_step_has_every_skill_and_no_episode_is_twice_or_missing() {
        let batches = made(&episodes(), &BatchConfig::default());
        assert_eq!(batches.iter().map(|batch| batch.data.len()).sum::<usize>(), 32);
        assert!(batches.iter().all(|batch| batch.shares.len() == 2), "{batches:?}");
    }

    #[test]
    fn sequence_mean_gives_long_and_short_episodes_the_same_weight() {
        let config = BatchConfig { reduction: Reduction::Sequence, steps: 1, ..BatchConfig::default() };
        let episodes = [sampled("edit", "a", 1.0, 2), sampled("edit", "a", 0.0, 9)];
        for datum in &made(&episodes, &config)[0].data {
            assert!((sum(datum.weights.iter().copied()) - 0.5).abs() < 1e-6);
        }
    }

    #[test]
    fn advantages_of_a_step_sum_to_zero_because_sets_stay_whole() {
        for batch in made(&episodes(), &BatchConfig::default()) {
            let total = sum(batch.data.iter().map(|datum| datum.advantages[0]));
            assert!(total.abs() < 1e-5, "{total}");
        }
    }

    #[test]
    fn the_pull_of_a_skill_is_its_weight_times_the_size_of_its_advantages() {
        let config =
            BatchConfig { steps: 1, advantage_scale: [("edit".to_owned(), 3.0)].into(), ..BatchConfig::default() };
        // Half of the loss each; all advantages are one half in size.
        let shares = &made(&episodes(), &config)[0].shares;
        assert!((shares["edit"].pull - 0.75).abs() < 1e-6, "{shares:?}");
        assert!((shares["review"].pull - 0.25).abs() < 1e-6, "{shares:?}");
    }

    #[test]
    fn nothing_with_signal_gives_no_batch() {
        let episodes = [sampled("edit", "a", 1.0, 2), sampled("edit", "a", 1.0, 2)];
        assert!(made(&episodes, &BatchConfig::default()).is_empty());
    }
}
