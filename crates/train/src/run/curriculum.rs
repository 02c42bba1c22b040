//! Which tasks come less often: those that the policy nearly always or nearly never solves teach little.
//!
//! A task's pass rate is that of its last episodes, older ones counting half each time. Tasks outside the band come in one of
//! `1 / outside` epochs: never gone, because a policy that changes may need them again. A task that was never tried is inside.
//! Pass rates come from recorded episodes, so that a resumed run makes the same choices. Pools by difficulty as in prime-rl; the
//! band as in DAPO's dynamic sampling (arXiv 2503.14476, section 3.2), before instead of after sampling.

use std::collections::HashMap;

use basis_gym::episode::Episode;
use serde::{Deserialize, Serialize};

/// Settings of the curriculum; the default has every task in every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CurriculumConfig {
    /// Lowest pass rate that is inside. Default 0.
    pub low: f64,
    /// Highest pass rate that is inside. Default 1.
    pub high: f64,
    /// Share of epochs in which a task outside comes. Default 1.
    pub outside: f64,
}

impl Default for CurriculumConfig {
    fn default() -> Self {
        Self { low: 0.0, high: 1.0, outside: 1.0 }
    }
}

/// Pass rates of tasks.
#[derive(Debug, Default)]
pub(super) struct PassRates(HashMap<String, f64>);

impl PassRates {
    /// Takes note of the episodes of one iteration.
    pub(super) fn observe(&mut self, episodes: &[Episode]) {
        let mut counts: HashMap<&str, (f64, f64)> = HashMap::new();
        for (episode, reward) in episodes.iter().filter_map(|episode| Some((episode, episode.reward()?))) {
            let (solved, valid) = counts.entry(&episode.task).or_default();
            *solved += f64::from(u8::from(reward > 0.0));
            *valid += 1.0;
        }
        for (task, (solved, valid)) in counts {
            let now = solved / valid;
            self.0.entry(task.to_owned()).and_modify(|rate| *rate = (*rate + now) / 2.0).or_insert(now);
        }
    }

    /// Whether tasks that come together are inside: by the mean of those that were tried.
    pub(super) fn is_inside<'a>(&self, tasks: impl Iterator<Item = &'a str>, config: &CurriculumConfig) -> bool {
        let rates: Vec<f64> = tasks.filter_map(|task| self.0.get(task).copied()).collect();
        let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        rates.is_empty() || (config.low..=config.high).contains(&mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{episode, invalid};

    #[test]
    fn a_pass_rate_is_that_of_valid_episodes_and_older_ones_count_half() {
        let mut rates = PassRates::default();
        rates.observe(&[episode("edit", "a", 1.0), episode("edit", "a", 0.0), invalid("edit", "a")]);
        assert_eq!(rates.0["a"], 0.5);
        rates.observe(&[episode("edit", "a", 0.0)]);
        assert_eq!(rates.0["a"], 0.25);
    }

    #[test]
    fn what_was_never_tried_is_inside_and_what_is_always_solved_is_not() {
        let config = CurriculumConfig { low: 0.1, high: 0.9, outside: 0.2 };
        let mut rates = PassRates::default();
        rates.observe(&[episode("edit", "easy", 1.0), episode("edit", "hard", 0.0)]);
        let inside = |tasks: &[&str]| rates.is_inside(tasks.iter().copied(), &config);
        assert_eq!(
            [inside(&["new"]), inside(&["easy"]), inside(&["hard"]), inside(&["easy", "hard"])],
            [true, false, false, true]
        );
    }
}
