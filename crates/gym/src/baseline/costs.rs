//! What the tests of a healthy tree cost, and the limits that follow for runs of some of them.
//!
//! Runs are limited by processor time, which a busy machine hardly changes: their wall time is only a net below code that waits for
//! ever. Submissions for generated packages, whose tests take milliseconds, are limited by wall time alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use basis_sandbox::Limits;
use serde::{Deserialize, Serialize};

use crate::languages::TestReport;
use crate::project::RunnerKind;
use crate::record::TestId;

/// How many times longer than the healthy suite a run may take.
const PATIENCE: u32 = 5;
/// A run may take this much processor time at least: to start takes a part of a second.
const SHORTEST: Duration = Duration::from_secs(4);

/// Time that something takes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Cost {
    wall: Duration,
    processor: Duration,
}

/// What each test costs, and what everything beside the tests does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Costs {
    tests: BTreeMap<TestId, Cost>,
    startup: Cost,
    runner: RunnerKind,
    limits: Limits,
}

impl Costs {
    /// Those of the `used` tests, each in the slowest of some runs. `limits` are the least that a run gets.
    pub(super) fn of(reports: &[&TestReport], used: &BTreeSet<TestId>, runner: RunnerKind, limits: &Limits) -> Self {
        let startup = reports.iter().map(|report| startup(report)).fold(Cost::default(), slower);
        let of_test = |id: &TestId| {
            let outcomes = reports.iter().filter_map(|report| report.outcomes.get(id));
            let costs = outcomes.map(|outcome| Cost { wall: outcome.duration, processor: outcome.processor });
            (id.clone(), costs.fold(Cost::default(), slower))
        };
        Self { tests: used.iter().map(of_test).collect(), startup, runner, limits: limits.clone() }
    }

    fn usual(&self, tests: Option<&BTreeSet<TestId>>) -> Cost {
        let chosen = self.tests.iter().filter(|(id, _)| tests.is_none_or(|tests| tests.contains(*id)));
        chosen.fold(self.startup, |sum, (_, cost)| Cost {
            wall: sum.wall + cost.wall,
            processor: sum.processor + cost.processor,
        })
    }

    /// Five times the wall time that the tests need, at least that of the caller.
    pub(super) fn limits(&self, tests: Option<&BTreeSet<TestId>>) -> Limits {
        Limits { wall: self.limits.wall.max(self.usual(tests).wall * PATIENCE), ..self.limits.clone() }
    }

    /// Five times the processor time that the tests need, rounded up to a power of two seconds, so that small differences between
    /// two measurements do not show.
    pub(super) fn processor(&self, tests: Option<&BTreeSet<TestId>>) -> Duration {
        let needed = (self.usual(tests).processor * PATIENCE).max(SHORTEST).as_secs_f64().ceil();
        Duration::from_secs((needed as u64).next_power_of_two())
    }

    /// That of a graded run; nothing where the wall time is limit enough.
    pub(super) fn graded_processor(&self, tests: Option<&BTreeSet<TestId>>) -> Option<Duration> {
        self.runner.is_real().then(|| self.processor(tests))
    }
}

fn startup(report: &TestReport) -> Cost {
    let outcomes = || report.outcomes.values();
    Cost {
        wall: report.duration.saturating_sub(outcomes().map(|outcome| outcome.duration).sum()),
        processor: report.processor.saturating_sub(outcomes().map(|outcome| outcome.processor).sum()),
    }
}

fn slower(one: Cost, other: Cost) -> Cost {
    Cost { wall: one.wall.max(other.wall), processor: one.processor.max(other.processor) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::{Health, Phase, Status, TestOutcome};

    /// A suite with a test of 1 s and one of 3 s, which starts in 0.5 s of processor time and 2 s of wall time.
    fn costs(runner: RunnerKind) -> Costs {
        let outcome = |seconds| TestOutcome {
            status: Status::Passed,
            phase: Phase::Call,
            detail: String::new(),
            symptom: None,
            duration: Duration::from_secs(2 * seconds),
            processor: Duration::from_secs(seconds),
        };
        let report = TestReport {
            outcomes: [("quick".to_owned(), outcome(1)), ("slow".to_owned(), outcome(3))].into(),
            health: Health::Sound,
            coverage: None,
            duration: Duration::from_secs(10),
            processor: Duration::from_millis(4500),
        };
        let used = report.outcomes.keys().cloned().collect();
        Costs::of(&[&report], &used, runner, &Limits::default())
    }

    #[test]
    fn limits_follow_the_selection() {
        let costs = costs(RunnerKind::Pytest);
        let quick = BTreeSet::from(["quick".to_owned()]);
        assert_eq!(costs.processor(Some(&quick)), Duration::from_secs(8));
        assert_eq!(costs.processor(None), Duration::from_secs(32));
        assert_eq!(costs.limits(Some(&quick)).wall, Duration::from_secs(20));
        assert_eq!(costs.limits(None).wall, Duration::from_secs(50));
        assert_eq!(costs.processor(Some(&BTreeSet::new())), SHORTEST);
    }

    #[test]
    fn graded_runs_of_generated_packages_have_no_limit_of_processor_time() {
        assert_eq!(costs(RunnerKind::Plain).graded_processor(None), None);
        assert_eq!(costs(RunnerKind::Pytest).graded_processor(None), Some(Duration::from_secs(32)));
    }
}
