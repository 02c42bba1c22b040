//! What the tests of a healthy tree do: which ones can be relied on, how long they take, what they touch.
//!
//! The suite runs twice, in two sandboxes. A test that does not pass both times is set aside and never used again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};

use crate::languages::python::coverage::Coverage;
use crate::languages::python::{Environment, Health, Selection, TestReport, run_tests};
use crate::project::Project;
use crate::record::TestId;
use crate::tree::LayerStore;

/// Suites that take longer are run once more to learn which tests matter for which function.
const LONG_SUITE: Duration = Duration::from_millis(1500);
/// How many times longer than the healthy suite a run may take.
const PATIENCE: u32 = 5;
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
    /// Limits for every later run of these tests: the wall time is five times that of the suite, at least that of the caller.
    pub limits: Limits,
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
    let run = |selection: &Selection, limits: &Limits| -> Result<TestReport, BaselineError> {
        believable(&project.name, run_tests(backend, environment, std::slice::from_ref(&layer), selection, limits)?)
    };
    let reports = [run(&suite, limits)?, run(&suite, limits)?];
    let (passing, set_aside) = steady(&reports);
    if passing.is_empty() {
        let reasons = set_aside.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        return Err(BaselineError::NothingPasses { project: project.name.clone(), reasons });
    }
    let slowest = reports.iter().map(|report| report.duration).max().unwrap_or_default();
    let limits = Limits { wall: limits.wall.max(slowest * PATIENCE), ..limits.clone() };
    let coverage = match slowest > LONG_SUITE {
        true => run(&suite.with_coverage(), &for_coverage(&limits))?.coverage,
        false => None,
    };
    Ok(Baseline { layer, passing, set_aside, coverage, limits })
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

/// Tests that passed in every report, and what did not, with the reason.
fn steady(reports: &[TestReport; 2]) -> (BTreeSet<TestId>, Vec<String>) {
    let [first, second] = reports.each_ref().map(|report| report.passing().into_iter().collect::<BTreeSet<_>>());
    let mut aside: Vec<String> = match &reports[0].health {
        Health::CollectFailed(files) => files.clone(),
        _ => Vec::new(),
    };
    for (id, outcome) in reports.iter().flat_map(|report| &report.outcomes).filter(|(_, outcome)| !outcome.passed()) {
        let reason = format!("`{id}`: {}", if outcome.detail.is_empty() { "did not pass" } else { &outcome.detail });
        if !aside.contains(&reason) {
            aside.push(reason);
        }
    }
    (first.intersection(&second).cloned().collect(), aside)
}
