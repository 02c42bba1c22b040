//! Confirms a bug by execution: some tests that pass on the healthy tree fail on the buggy one, the others still pass.

use std::collections::BTreeSet;

use basis_sandbox::{Backend, SandboxError};

use crate::baseline::Baseline;
use crate::languages::python::{Environment, Health, Selection, Status, TestReport, run_tests};
use crate::project::Project;
use crate::record::{BugRecord, Mutation, Symptom, TestId};
use crate::tree::{LayerStore, Tree};

/// A bug may break this many tests, or this share of the suite if that is more.
const FEW_TESTS: usize = 5;
const FEW_PERCENT: usize = 30;

/// Why a mutation makes no bug record.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The bytes to be replaced are not those of the healthy file, or nothing changes.
    #[error("the edit does not fit `{path}`")]
    DoesNotFit {
        /// The file.
        path: String,
    },
    /// No reliable test enters the mutated function.
    #[error("no test enters `{function}`")]
    NotCovered {
        /// The function.
        function: String,
    },
    /// Every test still passes.
    #[error("every test still passes")]
    Survived,
    /// The bug breaks too much to be one bug.
    #[error("{failing} tests fail, more than {allowed}")]
    TooManyFail {
        /// Failing tests.
        failing: usize,
        /// The most that may fail.
        allowed: usize,
    },
    /// Nothing is left that could show a wrong fix.
    #[error("no test passes on both trees")]
    NonePasses,
    /// Test files cannot be imported any more.
    #[error("tests cannot be collected: {0}")]
    CollectFailed(String),
    /// The buggy tree hangs.
    #[error("the tests hang")]
    Hangs,
    /// Tests vanish or are skipped instead of failing.
    #[error("`{0}` neither passes nor fails")]
    Vanished(TestId),
    /// The run cannot be believed.
    #[error("the run cannot be believed: {code}: {detail}")]
    Unbelievable {
        /// A code of the failure taxonomy.
        code: &'static str,
        /// One line.
        detail: String,
    },
    /// The infrastructure failed; says nothing about the mutation.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A tree could not be written; says nothing about the mutation.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Rejection {
    /// A short code, for counting.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DoesNotFit { .. } => "does_not_fit",
            Self::NotCovered { .. } => "not_covered",
            Self::Survived => "survived",
            Self::TooManyFail { .. } => "too_many_fail",
            Self::NonePasses => "none_passes",
            Self::CollectFailed(_) => "collect_failed",
            Self::Hangs => "hangs",
            Self::Vanished(_) => "vanished",
            Self::Unbelievable { code, .. } => code,
            Self::Sandbox(_) => "infra_sandbox",
            Self::Io(_) => "infra_files",
        }
    }

    /// Whether the infrastructure failed, so that the mutation may be tried again.
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Sandbox(_) | Self::Io(_))
    }
}

/// Applies `mutation` to the healthy tree, runs the tests that may notice it in a fresh sandbox, and makes the record.
///
/// # Errors
/// [`Rejection`] with the reason.
pub fn validate(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &LayerStore,
    project: &Project,
    baseline: &Baseline,
    mutation: &Mutation,
) -> Result<BugRecord, Rejection> {
    let (overlay, relevant) = prepare(project, baseline, mutation)?;
    let tree_layers = [baseline.layer.clone(), layers.layer(&overlay)?];
    let selection = match &relevant {
        Some(tests) => Selection::tests(tests),
        None => Selection::files(project.tests.files.iter()),
    };
    let report = run_tests(backend, environment, &tree_layers, &selection.with_symptoms(), &baseline.limits)?;
    judge(&report, baseline)?;
    let (fail_to_pass, pass_to_pass) = split(&report, baseline, relevant.as_ref())?;
    Ok(record(project, mutation, &overlay, fail_to_pass, pass_to_pass, &report))
}

/// The mutated file as a tree of its own, and the tests that may notice it; `None` when any test may.
fn prepare(
    project: &Project,
    baseline: &Baseline,
    mutation: &Mutation,
) -> Result<(Tree, Option<BTreeSet<TestId>>), Rejection> {
    let misfit = || Rejection::DoesNotFit { path: mutation.path.clone() };
    let source = project.tree.text(&mutation.path).ok_or_else(misfit)?;
    if source.get(mutation.start..mutation.end) != Some(&mutation.before) || mutation.before == mutation.after {
        return Err(misfit());
    }
    let touching =
        baseline.coverage.as_ref().and_then(|coverage| coverage.touching(&mutation.path, source, mutation.line));
    let relevant = touching.map(|tests| tests.intersection(&baseline.passing).cloned().collect::<BTreeSet<_>>());
    if relevant.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(Rejection::NotCovered { function: mutation.function.clone() });
    }
    let mut overlay = Tree::new();
    overlay.insert(mutation.path.clone(), mutation.apply(source));
    Ok((overlay, relevant))
}

fn judge(report: &TestReport, baseline: &Baseline) -> Result<(), Rejection> {
    match &report.health {
        Health::Sound => Ok(()),
        // A file that could not be imported before the bug may stay so.
        Health::CollectFailed(files) if files.iter().all(|file| baseline.set_aside.contains(file)) => Ok(()),
        Health::CollectFailed(_) => Err(Rejection::CollectFailed(report.health.detail())),
        Health::TimedOut => Err(Rejection::Hangs),
        other => Err(Rejection::Unbelievable { code: other.code(), detail: other.detail() }),
    }
}

/// Fail-to-pass and pass-to-pass tests. What was not run cannot notice the bug and passes.
fn split(
    report: &TestReport,
    baseline: &Baseline,
    relevant: Option<&BTreeSet<TestId>>,
) -> Result<(Vec<TestId>, Vec<TestId>), Rejection> {
    let (mut failing, mut passing) = (Vec::new(), Vec::new());
    for id in &baseline.passing {
        if relevant.is_some_and(|tests| !tests.contains(id)) {
            passing.push(id.clone());
            continue;
        }
        match report.outcomes.get(id).map_or(Status::Missing, |outcome| outcome.status) {
            Status::Passed => passing.push(id.clone()),
            Status::Failed | Status::Error => failing.push(id.clone()),
            _ => return Err(Rejection::Vanished(id.clone())),
        }
    }
    let allowed = FEW_TESTS.max(baseline.passing.len() * FEW_PERCENT / 100);
    match (failing.len(), passing.len()) {
        (0, _) => Err(Rejection::Survived),
        (failing, _) if failing > allowed => Err(Rejection::TooManyFail { failing, allowed }),
        (_, 0) => Err(Rejection::NonePasses),
        _ => Ok((failing, passing)),
    }
}

fn record(
    project: &Project,
    mutation: &Mutation,
    overlay: &Tree,
    fail_to_pass: Vec<TestId>,
    pass_to_pass: Vec<TestId>,
    report: &TestReport,
) -> BugRecord {
    let mut buggy = project.tree.clone();
    overlay.iter().for_each(|(path, bytes)| buggy.insert(path, bytes));
    BugRecord {
        id: identity(&project.tree, &buggy, &fail_to_pass, &pass_to_pass),
        project: project.name.clone(),
        origin: project.origin.clone(),
        tests: project.tests.clone(),
        fixed: project.tree.clone(),
        buggy,
        mutation: mutation.clone(),
        symptoms: symptoms(&fail_to_pass, report),
        fail_to_pass,
        pass_to_pass,
    }
}

/// What the failing tests showed, those that say most first.
fn symptoms(failing: &[TestId], report: &TestReport) -> Vec<Symptom> {
    let bare = |id: &TestId| Symptom {
        test: id.clone(),
        call: None,
        actual: None,
        expected: None,
        exception: Some(report.outcomes[id].detail.clone()),
    };
    let mut symptoms: Vec<Symptom> =
        failing.iter().map(|id| report.outcomes[id].symptom.clone().unwrap_or_else(|| bare(id))).collect();
    symptoms.sort_by_key(|symptom| {
        let unknown = usize::from(symptom.call.is_none()) * 2 + usize::from(symptom.expected.is_none());
        (unknown, symptom.call.as_ref().map_or(0, String::len))
    });
    symptoms
}

fn identity(fixed: &Tree, buggy: &Tree, fail_to_pass: &[TestId], pass_to_pass: &[TestId]) -> String {
    let parts = (fixed.id(), buggy.id(), fail_to_pass, pass_to_pass);
    let bytes = serde_json::to_vec(&parts).expect("ids and test names are plain text");
    blake3::hash(&bytes).to_hex()[..16].to_owned()
}
