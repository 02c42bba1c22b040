//! Which episodes are compared with each other, and which of them teach anything.
//!
//! Episodes of one task are compared; tasks of one pair (the two `review` tasks of one issue, one sound and one unsound) are
//! compared together, so that a constant answer, which wins one half and loses the other, earns nothing in sum. Invalid
//! episodes say nothing and are left out; a set lives on with at least two valid ones. Sets whose rewards are all equal have
//! no signal and are dropped, but counted.

use std::collections::BTreeMap;

use basis_gym::episode::Episode;

use super::{Estimator, mean};

/// What a set of episodes teaches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signal {
    /// Episodes of sets with signal, in order of set and episode.
    pub credits: Vec<Credit>,
    /// What was there and what was dropped, per skill.
    pub skills: BTreeMap<String, SkillSignal>,
}

/// The advantage of one episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Credit {
    /// Index of the episode.
    pub episode: usize,
    /// Number of the set that it was compared in; sets are numbered from 0.
    pub set: usize,
    /// How much better than the set it was.
    pub advantage: f64,
}

/// Counts of one skill.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SkillSignal {
    /// Sets of episodes that are compared with each other.
    pub sets: usize,
    /// Sets with two different rewards.
    pub with_signal: usize,
    /// Valid episodes.
    pub valid: usize,
    /// Invalid episodes.
    pub invalid: usize,
    /// Valid episodes with a reward above 0.
    pub solved: usize,
    /// Valid episodes of sets with signal.
    pub trained: usize,
    /// Those of them with a reward above 0.
    pub trained_solved: usize,
    /// Sum of the rewards of valid episodes.
    pub reward: f64,
}

/// Compares `episodes`; `pair_of` gives the pair of a task id, or the empty string.
pub fn signal<'a>(episodes: &[Episode], pair_of: &dyn Fn(&str) -> &'a str, estimator: &dyn Estimator) -> Signal {
    let mut sets: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, episode) in episodes.iter().enumerate() {
        let pair = pair_of(&episode.task);
        let key = if pair.is_empty() { episode.task.as_str() } else { pair };
        sets.entry((&episode.skill, key)).or_default().push(index);
    }
    let mut signal = Signal::default();
    for (set, ((skill, _), members)) in sets.into_iter().enumerate() {
        let counts = signal.skills.entry(skill.to_owned()).or_default();
        let valid: Vec<(usize, f64)> =
            members.iter().filter_map(|index| Some((*index, episodes[*index].reward()?))).collect();
        let rewards: Vec<f64> = valid.iter().map(|(_, reward)| *reward).collect();
        counts.add(members.len(), &rewards);
        if has_signal(&rewards) {
            counts.with_signal += 1;
            counts.trained += rewards.len();
            counts.trained_solved += solved(&rewards);
            let advantages = estimator.advantages(&rewards);
            let credit = |((episode, _), advantage)| Credit { episode, set, advantage };
            signal.credits.extend(valid.into_iter().zip(advantages).map(credit));
        }
    }
    signal
}

impl SkillSignal {
    /// The share of sets with signal; 0 when there is no set.
    pub fn share(&self) -> f64 {
        self.with_signal as f64 / self.sets.max(1) as f64
    }

    fn add(&mut self, members: usize, rewards: &[f64]) {
        self.sets += 1;
        self.valid += rewards.len();
        self.invalid += members - rewards.len();
        self.solved += solved(rewards);
        self.reward += rewards.iter().sum::<f64>();
    }
}

fn solved(rewards: &[f64]) -> usize {
    rewards.iter().filter(|reward| **reward > 0.0).count()
}

fn has_signal(rewards: &[f64]) -> bool {
    rewards.len() >= 2 && rewards.iter().any(|reward| (reward - mean(rewards)).abs() > 1e-9)
}

#[cfg(test)]
mod tests {
    use super::super::{ALL, GroupMean};
    use super::*;
    use crate::testing::{episode, invalid};

    fn unpaired(_: &str) -> &'static str {
        ""
    }

    #[test]
    fn an_invalid_episode_leaves_its_group_alive() {
        let episodes = [episode("edit", "a", 1.0), invalid("edit", "a"), episode("edit", "a", 0.0)];
        let signal = signal(&episodes, &unpaired, &GroupMean);
        let credits: Vec<_> = signal.credits.iter().map(|credit| (credit.episode, credit.advantage)).collect();
        assert_eq!(credits, [(0, 0.5), (2, -0.5)]);
        assert_eq!(signal.skills["edit"].invalid, 1);
    }

    #[test]
    fn groups_without_signal_are_dropped_and_counted() {
        let mut episodes = vec![episode("edit", "a", 1.0), episode("edit", "a", 1.0)];
        episodes.extend([episode("edit", "b", 1.0), invalid("edit", "b")]);
        episodes.extend([episode("edit", "c", 1.0), episode("edit", "c", 0.0)]);
        let signal = signal(&episodes, &unpaired, &GroupMean);
        assert_eq!(signal.credits.len(), 2);
        let counts = signal.skills["edit"];
        assert_eq!((counts.sets, counts.with_signal, counts.valid), (3, 1, 5));
        assert_eq!((counts.solved, counts.trained, counts.trained_solved), (4, 2, 1));
    }

    #[test]
    fn a_constant_answer_to_a_pair_earns_nothing_in_sum() {
        let pair = |_: &str| "issue";
        let mut episodes: Vec<_> = (0..8).map(|_| episode("review", "sound", 1.0)).collect();
        episodes.extend((0..5).map(|_| episode("review", "unsound", 0.0)));
        for estimator in ALL {
            let signal = signal(&episodes, &pair, *estimator);
            let sum: f64 = signal.credits.iter().map(|credit| credit.advantage).sum();
            assert!(sum.abs() < 1e-9, "{}: {sum}", estimator.name());
        }
    }

    #[test]
    fn a_right_answer_to_a_pair_earns_more_than_a_constant_one() {
        let pair = |_: &str| "issue";
        let rewards = [("sound", 1.0), ("sound", 0.0), ("unsound", 0.0), ("unsound", 1.0)];
        let episodes = rewards.map(|(task, reward)| episode("review", task, reward));
        let signal = signal(&episodes, &pair, &GroupMean);
        assert_eq!(signal.credits.iter().map(|credit| credit.set).max(), Some(0));
        assert_eq!(signal.credits[3].advantage, 0.5);
    }

    #[test]
    fn equal_pair_names_of_two_skills_are_not_mixed() {
        let pair = |_: &str| "same";
        let episodes = [episode("review", "a", 1.0), episode("edit", "b", 0.0)];
        assert!(signal(&episodes, &pair, &GroupMean).credits.is_empty());
    }
}
