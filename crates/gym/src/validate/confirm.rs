//! Confirms a bug by execution: some tests that pass on the healthy tree fail on the buggy one, the others still pass.

use std::collections::BTreeSet;
use std::path::PathBuf;

use basis_sandbox::Backend;

use super::{Rejection, symptom};
use crate::baseline::Baseline;
use crate::languages::python::evaluate::{Call, evaluate};
use crate::languages::python::{Environment, Health, Selection, Status, TestReport, run_tests};
use crate::project::Project;
use crate::record::{BugRecord, Mutation, Symptom, TestId};
use crate::tree::{LayerStore, Tree};

/// A bug may break this many tests, or this share of the suite if that is more.
const FEW_TESTS: usize = 5;
const FEW_PERCENT: usize = 30;

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
    let limits = baseline.limits_for(relevant.as_ref());
    let report = run_tests(backend, environment, &tree_layers, &selection.with_symptoms(), &limits)?;
    judge(&report, baseline)?;
    let (fail_to_pass, pass_to_pass) = split(&report, baseline, relevant.as_ref())?;
    let observe = |layers: &[PathBuf], calls: &[Call]| evaluate(backend, environment, layers, calls, &limits);
    let symptoms =
        symptom::settle(symptom::seen(&fail_to_pass, &report), &|calls| observe(&tree_layers, calls), &|calls| {
            observe(&tree_layers[..1], calls)
        })?;
    Ok(record(project, mutation, &overlay, (fail_to_pass, pass_to_pass), symptoms))
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
    (fail_to_pass, pass_to_pass): (Vec<TestId>, Vec<TestId>),
    symptoms: Vec<Symptom>,
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
        fail_to_pass,
        pass_to_pass,
        symptoms,
    }
}

fn identity(fixed: &Tree, buggy: &Tree, fail_to_pass: &[TestId], pass_to_pass: &[TestId]) -> String {
    let parts = (fixed.id(), buggy.id(), fail_to_pass, pass_to_pass);
    let bytes = serde_json::to_vec(&parts).expect("ids and test names are plain text");
    blake3::hash(&bytes).to_hex()[..16].to_owned()
}
