//! avg@k and pass@k per skill and averaged over skills.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, average_strata, resampled_means, seed_of};
use crate::episode::Episode;

/// How well a policy does on a set of tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Samples per task that were asked for.
    pub k: u32,
    /// Per skill or composite kind, by name.
    pub skills: BTreeMap<String, SkillScore>,
    /// The unweighted mean of the success rates of all skills and kinds that have one.
    pub average: f64,
    /// 95 % interval of `average`: tasks are resampled within each skill.
    pub interval: Interval,
    /// What each task gave, by skill and task id; comparisons are made from it.
    pub tasks: BTreeMap<String, BTreeMap<String, TaskScore>>,
}

/// How well a policy does on one skill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SkillScore {
    /// Tasks with at least one valid episode.
    pub tasks: usize,
    /// Valid episodes.
    pub episodes: usize,
    /// Episodes that say nothing because infrastructure failed.
    pub invalid: usize,
    /// avg@k: the success rate of each task's valid episodes, averaged over tasks.
    pub success: f64,
    /// 95 % interval of `success`, bootstrap over tasks.
    pub interval: Interval,
    /// The success rate if every invalid episode had failed (`low`) or succeeded (`high`).
    pub bracket: Interval,
    /// pass@k: the share of tasks with `k` valid episodes of which at least one succeeded.
    pub pass_at_k: f64,
    /// Mean reward as the skill defines it (±1 for `localize`).
    pub reward: f64,
}

/// What the episodes of one task gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskScore {
    /// Valid episodes.
    pub valid: u32,
    /// Valid episodes with a reward above 0.
    pub solved: u32,
    /// Invalid episodes.
    pub invalid: u32,
    /// Sum of the rewards of valid episodes.
    pub reward: f64,
}

impl Evaluation {
    /// Summarises episodes of any number of skills; `seed` is that of the bootstrap.
    pub fn of<'a>(episodes: impl IntoIterator<Item = &'a Episode>, k: u32, seed: u64) -> Self {
        let mut tasks: BTreeMap<String, BTreeMap<String, TaskScore>> = BTreeMap::new();
        for episode in episodes {
            let skill = tasks.entry(episode.skill.clone()).or_default();
            skill.entry(episode.task.clone()).or_default().add(episode);
        }
        let skills = tasks.iter().map(|(name, tasks)| (name.clone(), SkillScore::of(tasks, k, seed_of(seed, name))));
        let skills: BTreeMap<String, SkillScore> = skills.collect();
        let known: Vec<f64> = skills.values().filter(|skill| skill.tasks > 0).map(|skill| skill.success).collect();
        let strata: Vec<Vec<f64>> =
            tasks.iter().map(|(name, tasks)| resampled_means(&rates(tasks), seed_of(seed, name))).collect();
        Self { k, skills, average: mean(&known), interval: Interval::of(average_strata(&strata)), tasks }
    }
}

impl SkillScore {
    fn of(tasks: &BTreeMap<String, TaskScore>, k: u32, seed: u64) -> Self {
        let rates = rates(tasks);
        let complete: Vec<&TaskScore> = tasks.values().filter(|task| task.valid >= k.max(1)).collect();
        let passed = complete.iter().filter(|task| task.solved > 0).count();
        let episodes: u32 = tasks.values().map(|task| task.valid).sum();
        let reward: f64 = tasks.values().map(|task| task.reward).sum();
        Self {
            tasks: rates.len(),
            episodes: episodes as usize,
            invalid: tasks.values().map(|task| task.invalid as usize).sum(),
            success: mean(&rates),
            interval: Interval::of(resampled_means(&rates, seed)),
            bracket: bracket(tasks),
            pass_at_k: passed as f64 / complete.len().max(1) as f64,
            reward: reward / f64::from(episodes.max(1)),
        }
    }
}

impl TaskScore {
    /// The success rate; `None` when no episode was valid.
    pub fn rate(&self) -> Option<f64> {
        (self.valid > 0).then(|| f64::from(self.solved) / f64::from(self.valid))
    }

    fn add(&mut self, episode: &Episode) {
        match episode.reward() {
            Some(reward) => {
                self.valid += 1;
                self.solved += u32::from(reward > 0.0);
                self.reward += reward;
            }
            None => self.invalid += 1,
        }
    }
}

fn bracket(tasks: &BTreeMap<String, TaskScore>) -> Interval {
    let rate = |extra: fn(&TaskScore) -> u32| {
        let rates: Vec<f64> = tasks
            .values()
            .map(|task| f64::from(task.solved + extra(task)) / f64::from((task.valid + task.invalid).max(1)))
            .collect();
        mean(&rates)
    };
    Interval { low: rate(|_| 0), high: rate(|task| task.invalid) }
}

fn rates(tasks: &BTreeMap<String, TaskScore>) -> Vec<f64> {
    tasks.values().filter_map(TaskScore::rate).collect()
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{episode, invalid};
    use super::*;

    #[test]
    fn the_average_is_over_tasks_and_not_over_episodes() {
        let episodes = [episode("edit", "a", 1.0), episode("edit", "a", 1.0), episode("edit", "b", 0.0)];
        let evaluation = Evaluation::of(&episodes, 2, 0);
        let skill = &evaluation.skills["edit"];
        assert_eq!((skill.tasks, skill.episodes, skill.success), (2, 3, 0.5));
        assert_eq!(skill.pass_at_k, 1.0, "only `a` has two valid episodes");
    }

    #[test]
    fn a_reward_of_minus_one_is_a_success_rate_of_zero() {
        let episodes = [episode("localize", "a", -1.0), episode("localize", "b", 1.0)];
        let skill = &Evaluation::of(&episodes, 1, 0).skills["localize"];
        assert_eq!((skill.success, skill.reward), (0.5, 0.0));
    }

    #[test]
    fn invalid_episodes_widen_the_bracket_and_leave_the_average() {
        let episodes = [episode("edit", "a", 1.0), invalid("edit", "a"), invalid("edit", "b")];
        let evaluation = Evaluation::of(&episodes, 2, 0);
        let skill = &evaluation.skills["edit"];
        assert_eq!((skill.success, skill.tasks, skill.invalid), (1.0, 1, 2));
        assert_eq!((skill.bracket.low, skill.bracket.high), (0.25, 1.0));
    }

    #[test]
    fn skills_count_the_same_in_the_average_however_many_tasks_they_have() {
        let mut episodes = vec![episode("edit", "a", 1.0)];
        episodes.extend(["b", "c", "d"].map(|task| episode("repro", task, 0.0)));
        assert_eq!(Evaluation::of(&episodes, 1, 0).average, 0.5);
    }

    #[test]
    fn nothing_gives_zeros_and_no_skill() {
        let evaluation = Evaluation::of(&[], 3, 0);
        assert_eq!((evaluation.average, evaluation.skills.len()), (0.0, 0));
    }
}
