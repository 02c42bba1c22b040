//! What the tests of a healthy tree do: which ones can be relied on, how long they take, what they touch.
//!
//! The suite runs twice, in two sandboxes. A test that does not pass both times is set aside and never used again. Of real packages
//! the second run holds only the tests that are of use, and records which functions each of them enters.

mod costs;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};
use serde::{Deserialize, Serialize};

use crate::languages::{Coverage, Environment, Health, Selection, Status, TestOutcome, TestReport};
use crate::project::Project;
use crate::record::TestId;
use crate::tree::LayerStore;

use costs::Costs;

/// The healthy suite may take this much processor time; its wall time is only a net, because the machine may be busy.
const HEALTHY_PROCESSOR: Duration = Duration::from_secs(300);
const HEALTHY_WALL: Duration = Duration::from_secs(3600);
/// Suites of at most this many tests are small: all their tests guard every function.
const SMALL_SUITE: usize = 60;
/// Tests that need more processor time are not used: every graded run would pay for them.
const SLOW_TEST: Duration = Duration::from_secs(1);
/// Report bytes of a run with coverage.
const COVERAGE_BYTES: u64 = 64 << 20;

/// The healthy suite of one project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    /// The directory that holds the healthy tree.
    pub layer: PathBuf,
    /// Tests that passed every time.
    pub passing: BTreeSet<TestId>,
    /// Tests, or files that could not be imported, that are not used, each with the reason.
    pub set_aside: Vec<String>,
    /// Those of them that failed, rather than being slow, skipped or not always the same.
    pub failing: BTreeSet<TestId>,
    /// Functions entered by each test; not recorded for generated packages, whose suites take milliseconds.
    pub coverage: Option<Coverage>,
    costs: Costs,
}

impl Baseline {
    /// Limits for a run of some of these tests, or of all: five times the wall time that they need, at least that of the caller.
    pub fn limits_for(&self, tests: Option<&BTreeSet<TestId>>) -> Limits {
        self.costs.limits(tests)
    }

    /// Processor time that a run of some of these tests, or of all, may take while records are made: a mistake in the condition of a
    /// loop makes it endless.
    pub fn processor_for(&self, tests: Option<&BTreeSet<TestId>>) -> Duration {
        self.costs.processor(tests)
    }

    /// That of a graded run; nothing where the wall time is limit enough.
    pub fn graded_processor_for(&self, tests: Option<&BTreeSet<TestId>>) -> Option<Duration> {
        self.costs.graded_processor(tests)
    }

    /// The tests that a change has to keep passing: those that may notice it (`None` when any may), and for every function that
    /// some test enters one such test.
    pub fn guards(&self, relevant: Option<&BTreeSet<TestId>>) -> BTreeSet<TestId> {
        match (relevant, &self.coverage) {
            (Some(relevant), Some(coverage)) if self.passing.len() > SMALL_SUITE => {
                relevant.union(&coverage.one_for_each_function(&self.passing)).cloned().collect()
            }
            _ => self.passing.clone(),
        }
    }
}

/// Why a project has no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// No test files are known.
    #[error("`{project}` has no tests; expected files called `test_*.py` or `*_test.py`")]
    NoTests {
        /// The project.
        project: String,
    },
    /// No test passes.
    #[error(
        "no test of `{project}` passes: {reasons}; make its tests pass in a fresh environment without network first"
    )]
    NothingPasses {
        /// The project.
        project: String,
        /// The first failures.
        reasons: String,
    },
    /// The run could not be believed.
    #[error("the tests of `{project}` cannot be relied on: {code}: {detail}")]
    Unbelievable {
        /// The project.
        project: String,
        /// A code of the failure taxonomy.
        code: &'static str,
        /// One line.
        detail: String,
    },
    /// The infrastructure failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The tree could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs the healthy suite.
///
/// # Errors
/// [`BaselineError`] when there are no tests, none passes, or the run cannot be believed.
pub fn baseline(
    backend: &dyn Backend,
    environment: &dyn Environment,
    layers: &LayerStore,
    project: &Project,
    limits: &Limits,
) -> Result<Baseline, BaselineError> {
    if project.tests.files.is_empty() {
        return Err(BaselineError::NoTests { project: project.name.clone() });
    }
    let layer = layers.layer(&project.tree)?;
    let runner = project.tests.runner;
    let within = runner.is_real().then_some(HEALTHY_PROCESSOR);
    let suite = Selection::files(project.tests.files.iter()).within(within);
    let suite = Selection { patience: Some(SLOW_TEST), ..suite };
    let healthy = Limits { wall: limits.wall.max(HEALTHY_WALL), ..limits.clone() };
    let run = |selection: &Selection, limits: &Limits| -> Result<TestReport, BaselineError> {
        believable(&project.name, environment.run_tests(backend, std::slice::from_ref(&layer), selection, limits)?)
    };
    let first = run(&suite, &healthy)?;
    let useful = of_use(&first);
    let second = match runner {
        real if real.is_real() && !useful.is_empty() => {
            // Tracing makes a suite several times slower and its report long.
            let traced = Selection::tests(&useful).with_coverage().within(within.map(|limit| limit * 4));
            run(&traced, &Limits { output_bytes: limits.output_bytes.max(COVERAGE_BYTES), ..healthy })?
        }
        _ => run(&suite, &healthy)?,
    };
    let (passing, set_aside) = steady(&first, &second);
    if passing.is_empty() {
        let reasons = set_aside.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        return Err(BaselineError::NothingPasses { project: project.name.clone(), reasons });
    }
    // A run with coverage says nothing about time.
    let timed: Vec<&TestReport> = [&first, &second].into_iter().filter(|report| report.coverage.is_none()).collect();
    let costs = Costs::of(&timed, &passing, runner, limits);
    let failing = failing(&first);
    Ok(Baseline { layer, passing, set_aside, failing, coverage: second.coverage, costs })
}

/// The tests that are worth a second run.
fn of_use(first: &TestReport) -> BTreeSet<TestId> {
    first
        .outcomes
        .iter()
        .filter(|(_, outcome)| objection(Some(outcome), true).is_none())
        .map(|(id, _)| id.clone())
        .collect()
}

fn believable(project: &str, report: TestReport) -> Result<TestReport, BaselineError> {
    match report.health.believable() {
        true => Ok(report),
        false => Err(BaselineError::Unbelievable {
            project: project.to_owned(),
            code: report.health.code(),
            detail: report.health.detail(),
        }),
    }
}

/// Tests that passed in both runs without being slow, and the others with the reason.
fn steady(first: &TestReport, second: &TestReport) -> (BTreeSet<TestId>, Vec<String>) {
    let mut aside: Vec<String> = match &first.health {
        Health::CollectFailed(files) => files.clone(),
        _ => Vec::new(),
    };
    let mut passing = BTreeSet::new();
    for (id, outcome) in &first.outcomes {
        let timed = second.coverage.is_none();
        let objection = objection(Some(outcome), true).or_else(|| objection(second.outcomes.get(id), timed));
        match objection {
            Some(objection) => aside.push(format!("`{id}`: {objection}")),
            None => {
                passing.insert(id.clone());
            }
        }
    }
    (passing, aside)
}

/// Tests that failed although they were not slow.
fn failing(report: &TestReport) -> BTreeSet<TestId> {
    let fails = |outcome: &TestOutcome| {
        matches!(outcome.status, Status::Failed | Status::Error) && outcome.processor < SLOW_TEST
    };
    report.outcomes.iter().filter(|(_, outcome)| fails(outcome)).map(|(id, _)| id.clone()).collect()
}

/// What speaks against a test, in a run whose times count or not.
fn objection(outcome: Option<&TestOutcome>, timed: bool) -> Option<String> {
    match outcome {
        None => Some("ran only once".to_owned()),
        Some(outcome) if !outcome.passed() && outcome.detail.is_empty() => Some("did not pass".to_owned()),
        Some(outcome) if !outcome.passed() => Some(outcome.detail.clone()),
        Some(outcome) if timed && outcome.processor > SLOW_TEST => Some("takes too long".to_owned()),
        Some(_) => None,
    }
}
