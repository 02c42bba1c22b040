//! Two arms of an experiment, each trained with several seeds and measured on the same tasks.
//!
//! A difference is uncertain for two reasons: which tasks it was measured on, and which seeds it was trained with. Both are drawn
//! anew: in each resample the runs of each arm, for all skills together, and the tasks of each skill. Few seeds make intervals
//! and p-values too small; with one seed per arm only the tasks speak.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, RESAMPLES};
use super::evaluation::Evaluation;

/// How a second arm differs from a first one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Arms {
    /// Per skill or composite kind.
    pub skills: BTreeMap<String, ArmDifference>,
    /// The unweighted mean over all skills and kinds.
    pub average: ArmDifference,
}

/// A difference of success rates between arms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmDifference {
    /// Tasks that every run of both arms has measured.
    pub tasks: usize,
    /// Success rate of the first arm, mean over runs.
    pub first: f64,
    /// Success rate of the second.
    pub second: f64,
    /// `second - first`.
    pub change: f64,
    /// 95 % interval of `change`.
    pub interval: Interval,
    /// How likely a difference of this size or more would be if there were none: twice the share of resamples on the other side
    /// of 0.
    pub p: f64,
}

/// Success rates of one skill: of each arm, of each run, of each task.
type Rates = [Vec<Vec<f64>>; 2];

impl Arms {
    /// Compares the runs of two arms; both need at least one. `seed` is that of the bootstrap.
    pub fn of(first: &[Evaluation], second: &[Evaluation], seed: u64) -> Self {
        let mut skills: BTreeMap<&str, Rates> = BTreeMap::new();
        for name in first.iter().flat_map(|evaluation| evaluation.tasks.keys()) {
            let rates = rates(name, first, second);
            if !rates[0].is_empty() && !rates[0][0].is_empty() {
                skills.insert(name, rates);
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut resampled: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut averages = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            let runs = [first, second].map(|arm| draw(arm.len(), &mut rng));
            let mut sum = 0.0;
            for (name, rates) in &skills {
                let tasks = draw(rates[0][0].len(), &mut rng);
                let change = mean(&rates[1], &runs[1], &tasks) - mean(&rates[0], &runs[0], &tasks);
                resampled.entry(name).or_default().push(change);
                sum += change;
            }
            averages.push(sum / skills.len().max(1) as f64);
        }
        let difference = |(name, rates): (&&str, &Rates)| {
            let [first, second] = rates.each_ref().map(|arm| whole(arm));
            let tasks = rates[0][0].len();
            ((*name).to_owned(), ArmDifference::of(tasks, (first, second), resampled[name].clone()))
        };
        let skills: BTreeMap<String, ArmDifference> = skills.iter().map(difference).collect();
        let over =
            |value: fn(&ArmDifference) -> f64| skills.values().map(value).sum::<f64>() / skills.len().max(1) as f64;
        let tasks = skills.values().map(|skill| skill.tasks).sum();
        let average = ArmDifference::of(tasks, (over(|skill| skill.first), over(|skill| skill.second)), averages);
        Self { skills, average }
    }
}

impl ArmDifference {
    fn of(tasks: usize, (first, second): (f64, f64), resampled: Vec<f64>) -> Self {
        let count = resampled.len() as f64 + 1.0;
        let share =
            |side: fn(&f64) -> bool| (resampled.iter().filter(|change| side(change)).count() as f64 + 1.0) / count;
        let p = (2.0 * share(|change| *change <= 0.0).min(share(|change| *change >= 0.0))).min(1.0);
        Self { tasks, first, second, change: second - first, interval: Interval::of(resampled), p }
    }
}

/// Rates of the tasks that every run has.
fn rates(skill: &str, first: &[Evaluation], second: &[Evaluation]) -> Rates {
    let rate = |evaluation: &Evaluation, task: &str| evaluation.tasks.get(skill)?.get(task)?.rate();
    let all = || first.iter().chain(second);
    let tasks: Vec<&String> = first
        .first()
        .and_then(|evaluation| evaluation.tasks.get(skill))
        .map(|tasks| tasks.keys().filter(|task| all().all(|evaluation| rate(evaluation, task).is_some())).collect())
        .unwrap_or_default();
    let of = |arm: &[Evaluation]| -> Vec<Vec<f64>> {
        arm.iter().map(|evaluation| tasks.iter().filter_map(|task| rate(evaluation, task)).collect()).collect()
    };
    [of(first), of(second)]
}

fn draw(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    (0..count).map(|_| rng.random_range(0..count)).collect()
}

fn mean(arm: &[Vec<f64>], runs: &[usize], tasks: &[usize]) -> f64 {
    let sum: f64 = runs.iter().map(|run| tasks.iter().map(|task| arm[*run][*task]).sum::<f64>()).sum();
    sum / (runs.len() * tasks.len()) as f64
}

fn whole(arm: &[Vec<f64>]) -> f64 {
    let count: usize = arm.iter().map(Vec::len).sum();
    arm.iter().flatten().sum::<f64>() / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::episode;
    use super::*;

    /// A run that solves this many of 40 tasks of `edit`, and half of those of `review`.
    fn run(solved: usize) -> Evaluation {
        let edit = (0..40).map(|n| episode("edit", &format!("e{n}"), f64::from(u8::from(n < solved))));
        let review = (0..40).map(|n| episode("review", &format!("r{n}"), f64::from(n % 2)));
        Evaluation::of(&edit.chain(review).collect::<Vec<_>>(), 1, 0)
    }

    #[test]
    fn a_difference_that_all_seeds_share_is_found_and_one_that_is_not_there_is_not() {
        let arms = Arms::of(&[run(10), run(11), run(9)], &[run(30), run(29), run(31)], 0);
        let (edit, review) = (arms.skills["edit"], arms.skills["review"]);
        assert_eq!((edit.tasks, edit.first, edit.second, edit.change), (40, 0.25, 0.75, 0.5));
        assert!(edit.p < 0.01 && edit.interval.low > 0.2, "{edit:?}");
        assert_eq!((review.change, review.p), (0.0, 1.0));
        assert_eq!(arms.average.change, 0.25);
    }

    #[test]
    fn seeds_that_disagree_make_the_interval_wider() {
        let width = |arms: Arms| arms.skills["edit"].interval.high - arms.skills["edit"].interval.low;
        let agree = width(Arms::of(&[run(10), run(10)], &[run(20), run(20)], 0));
        let disagree = width(Arms::of(&[run(2), run(18)], &[run(5), run(35)], 0));
        assert!(disagree > 1.3 * agree, "{disagree} {agree}");
    }

    #[test]
    fn only_tasks_that_every_run_has_are_compared() {
        let partial = Evaluation::of(&[episode("edit", "e0", 1.0)], 1, 0);
        let arms = Arms::of(&[run(10)], &[run(20), partial], 0);
        assert_eq!(arms.skills.keys().collect::<Vec<_>>(), ["edit"]);
        assert_eq!(arms.skills["edit"].tasks, 1);
    }
}
