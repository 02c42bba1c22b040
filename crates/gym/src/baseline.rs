//! What the tests of a healthy tree do: which ones can be relied on, how long they take, what they touch.
//!
//! The suite runs twice, in two sandboxes. A test that does not pass both times is set aside and never used again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};

use crate::languages::python::coverage::Coverage;
use crate::languages::python::{Environment, Health, Selection, TestOutcome, TestReport, run_tests};
use crate::project::Project;
use crate::record::TestId;
use crate::tree::LayerStore;

/// Suites that take longer are run once more to learn which tests matter for which function.
const LONG_SUITE: Duration = Duration::from_millis(1500);
/// How many times longer than the healthy suite a run may take.
const PATIENCE: u32 = 5;
/// The healthy suite may take this long, even on a busy machine.
const HEALTHY_WALL: Duration = Duration::from_secs(300);
/// Tests that need more processor time are not used: every graded run would pay for them.
const SLOW_TEST: Duration = Duration::from_secs(1);
/// Report bytes of a run with coverage.
const COVERAGE_BYTES: u64 = 64 << 20;

/// The healthy suite of one project.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The directory that holds the healthy tree.
    pub layer: PathBuf,
    /// Tests that passed every time.
    pub passing: BTreeSet<TestId>,
    /// Tests, or files that could not be imported, that are not used, each with the reason.
    pub set_aside: Vec<String>,
    /// Functions entered by each test; recorded only for suites that take long.
    pub coverage: Option<Coverage>,
    /// Wall time of each of these tests, and of everything beside the tests.
    times: (BTreeMap<TestId, Duration>, Duration),
    /// The caller's limits.
    limits: Limits,
}

impl Baseline {
    /// Limits for a run of some of these tests, or of all: five times the wall time that they need, at least that of the caller.
    pub fn limits_for(&self, tests: Option<&BTreeSet<TestId>>) -> Limits {
        let (durations, startup) = &self.times;
        let chosen = durations.iter().filter(|(id, _)| tests.is_none_or(|tests| tests.contains(*id)));
        let usual = *startup + chosen.map(|(_, duration)| *duration).sum::<Duration>();
        Limits { wall: self.limits.wall.max(usual * PATIENCE), ..self.limits.clone() }
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
    environment: &Environment,
    layers: &LayerStore,
    project: &Project,
    limits: &Limits,
) -> Result<Baseline, BaselineError> {
    if project.tests.files.is_empty() {
        return Err(BaselineError::NoTests { project: project.name.clone() });
    }
    let layer = layers.layer(&project.tree)?;
    let suite = Selection::files(project.tests.files.iter());
    let healthy = Limits { wall: limits.wall.max(HEALTHY_WALL), ..limits.clone() };
    let run = |selection: &Selection, limits: &Limits| -> Result<TestReport, BaselineError> {
        believable(&project.name, run_tests(backend, environment, std::slice::from_ref(&layer), selection, limits)?)
    };
    let reports = [run(&suite, &healthy)?, run(&suite, &healthy)?];
    let (passing, set_aside) = steady(&reports);
    if passing.is_empty() {
        let reasons = set_aside.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        return Err(BaselineError::NothingPasses { project: project.name.clone(), reasons });
    }
    let times = times(&reports, &passing);
    let usual = times.1 + times.0.values().sum::<Duration>();
    let coverage = match usual > LONG_SUITE {
        true => run(&Selection::tests(&passing).with_coverage(), &for_coverage(&healthy))?.coverage,
        false => None,
    };
    Ok(Baseline { layer, passing, set_aside, coverage, times, limits: limits.clone() })
}

/// Wall time of each used test in the slower run, and of everything beside the tests.
fn times(reports: &[TestReport; 2], used: &BTreeSet<TestId>) -> (BTreeMap<TestId, Duration>, Duration) {
    let sum = |report: &TestReport| report.outcomes.values().map(|outcome| outcome.duration).sum::<Duration>();
    let startup = reports.iter().map(|report| report.duration.saturating_sub(sum(report))).max().unwrap_or_default();
    let slower =
        |id: &TestId| reports.iter().filter_map(|report| report.outcomes.get(id)).map(|outcome| outcome.duration).max();
    (used.iter().map(|id| (id.clone(), slower(id).unwrap_or_default())).collect(), startup)
}

/// Tracing makes a suite several times slower and its report long.
fn for_coverage(limits: &Limits) -> Limits {
    Limits { wall: limits.wall * 4, output_bytes: limits.output_bytes.max(COVERAGE_BYTES), ..limits.clone() }
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

/// Tests that passed in every report without being slow, and the others with the reason.
fn steady(reports: &[TestReport; 2]) -> (BTreeSet<TestId>, Vec<String>) {
    let mut aside: Vec<String> = match &reports[0].health {
        Health::CollectFailed(files) => files.clone(),
        _ => Vec::new(),
    };
    let mut passing = BTreeSet::new();
    for (id, outcome) in &reports[0].outcomes {
        let both = [Some(outcome), reports[1].outcomes.get(id)];
        match both.into_iter().find_map(|outcome| objection(outcome)) {
            Some(objection) => aside.push(format!("`{id}`: {objection}")),
            None => {
                passing.insert(id.clone());
            }
        }
    }
    (passing, aside)
}

/// What speaks against a test.
fn objection(outcome: Option<&TestOutcome>) -> Option<String> {
    match outcome {
        None => Some("ran only once".to_owned()),
        Some(outcome) if !outcome.passed() && outcome.detail.is_empty() => Some("did not pass".to_owned()),
        Some(outcome) if !outcome.passed() => Some(outcome.detail.clone()),
        Some(outcome) if outcome.processor > SLOW_TEST => Some("takes too long".to_owned()),
        Some(_) => None,
    }
}
