//! Two measurements on the same tasks: the paired difference per skill, with an interval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, average_strata, resampled_means, seed_of};
use super::evaluation::{Evaluation, TaskScore};

/// How a second measurement differs from a first one on the tasks that both have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Per skill or composite kind.
    pub skills: BTreeMap<String, Difference>,
    /// The unweighted mean over all skills and kinds.
    pub average: Difference,
}

/// A paired difference of success rates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Tasks in common, with at least one valid episode in both.
    pub tasks: usize,
    /// Success rate in the first measurement, on the tasks in common.
    pub before: f64,
    /// Success rate in the second.
    pub after: f64,
    /// `after - before`.
    pub change: f64,
    /// 95 % interval of `change`: bootstrap over the per-task differences.
    pub interval: Interval,
}

impl Comparison {
    /// Compares `after` with `before`; `seed` is that of the bootstrap.
    pub fn of(before: &Evaluation, after: &Evaluation, seed: u64) -> Self {
        let mut skills = BTreeMap::new();
        let mut strata = Vec::new();
        for (name, first) in &before.tasks {
            let Some(second) = after.tasks.get(name) else { continue };
            let pairs = pairs(first, second);
            if pairs.is_empty() {
                continue;
            }
            let changes: Vec<f64> = pairs.iter().map(|(before, after)| after - before).collect();
            let resampled = resampled_means(&changes, seed_of(seed, name));
            skills.insert(name.clone(), Difference::of(&pairs, resampled.clone()));
            strata.push(resampled);
        }
        let average = Difference::average(&skills, average_strata(&strata));
        Self { skills, average }
    }
}

impl Difference {
    /// `change` relative to `before`; `None` when that is 0.
    pub fn relative(&self) -> Option<f64> {
        (self.before > 0.0).then(|| self.change / self.before)
    }

    fn of(pairs: &[(f64, f64)], resampled: Vec<f64>) -> Self {
        let count = pairs.len() as f64;
        let before = pairs.iter().map(|pair| pair.0).sum::<f64>() / count;
        let after = pairs.iter().map(|pair| pair.1).sum::<f64>() / count;
        Self { tasks: pairs.len(), before, after, change: after - before, interval: Interval::of(resampled) }
    }

    fn average(skills: &BTreeMap<String, Self>, resampled: Vec<f64>) -> Self {
        let count = skills.len().max(1) as f64;
        let before = skills.values().map(|skill| skill.before).sum::<f64>() / count;
        let after = skills.values().map(|skill| skill.after).sum::<f64>() / count;
        let tasks = skills.values().map(|skill| skill.tasks).sum();
        Self { tasks, before, after, change: after - before, interval: Interval::of(resampled) }
    }
}

fn pairs(before: &BTreeMap<String, TaskScore>, after: &BTreeMap<String, TaskScore>) -> Vec<(f64, f64)> {
    before.iter().filter_map(|(task, score)| Some((score.rate()?, after.get(task)?.rate()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{episode, invalid};
    use super::*;

    #[test]
    fn only_tasks_that_both_measurements_have_are_compared() {
        let before = Evaluation::of(&[episode("edit", "a", 0.0), episode("edit", "b", 1.0)], 1, 0);
        let after = Evaluation::of(&[episode("edit", "a", 1.0), invalid("edit", "b")], 1, 0);
        let edit = Comparison::of(&before, &after, 0).skills["edit"];
        assert_eq!((edit.tasks, edit.before, edit.after, edit.change), (1, 0.0, 1.0, 1.0));
    }

    #[test]
    fn a_difference_that_all_tasks_share_has_an_interval_of_one_point() {
        let names = ["a", "b", "c", "d"];
        let before = Evaluation::of(&names.map(|task| episode("edit", task, 0.0)), 1, 0);
        let after = Evaluation::of(&names.map(|task| episode("edit", task, 1.0)), 1, 0);
        let average = Comparison::of(&before, &after, 0).average;
        assert_eq!((average.interval.low, average.interval.high), (1.0, 1.0));
        assert_eq!(average.relative(), None);
    }

    #[test]
    fn pairing_makes_the_interval_narrower_than_the_two_apart() {
        let rate = |i: usize, add: usize| if i % 10 < 4 + add { 1.0 } else { 0.0 };
        let measure = |add| {
            let episodes: Vec<_> = (0..100).map(|i| episode("edit", &format!("t{i}"), rate(i, add))).collect();
            Evaluation::of(&episodes, 1, 0)
        };
        let (before, after) = (measure(0), measure(1));
        let paired = Comparison::of(&before, &after, 0).skills["edit"].interval;
        let apart = after.skills["edit"].interval.high - before.skills["edit"].interval.low;
        assert!(paired.low > 0.0 && paired.high - paired.low < apart, "{paired:?}");
    }
}
