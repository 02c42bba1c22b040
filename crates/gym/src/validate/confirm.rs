//! Confirms a bug by execution: some tests that pass on the healthy tree fail on the buggy one, the others still pass.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};

use super::{Rejection, proposal, symptom};
use crate::baseline::Baseline;
use crate::languages::{Call, Environment, Health, Observation, Selection, Status, TestReport};
use crate::project::Project;
use crate::record::{BugRecord, Change, Mutation, Place, Symptom, TestId, Words};
use crate::tree::{LayerStore, Tree};

/// A bug may break this many tests, or this share of the suite if that is more.
const FEW_TESTS: usize = 5;
const FEW_PERCENT: usize = 30;

/// A healthy project and what its code is run with.
pub struct Ground<'a> {
    /// Makes sandboxes.
    pub backend: &'a dyn Backend,
    /// What the tests run in.
    pub environment: &'a dyn Environment,
    /// Trees on disk.
    pub layers: &'a LayerStore,
    /// The project.
    pub project: &'a Project,
    /// What its healthy suite does.
    pub baseline: &'a Baseline,
}

/// Applies `mutation` to the healthy tree, runs the tests that may notice it in a fresh sandbox, and makes the record.
///
/// # Errors
/// [`Rejection`] with the reason.
pub fn validate(ground: &Ground, mutation: &Mutation) -> Result<BugRecord, Rejection> {
    confirm(ground, &Suspect::mutated(ground, mutation)?)
}

/// Runs the tests that may notice in a fresh sandbox, and makes the record.
pub(super) fn confirm(ground: &Ground, suspect: &Suspect) -> Result<BugRecord, Rejection> {
    let report = suspect.run(ground)?;
    suspect.record(ground, &report)
}

/// A tree that is thought to be buggy, and the tests that may notice.
pub(super) struct Suspect {
    /// Where it differs from the healthy tree.
    pub(super) places: Vec<Place>,
    /// The files that differ.
    pub(super) overlay: Tree,
    relevant: Option<BTreeSet<TestId>>,
    /// The run that shows what they notice.
    pub(super) selection: Selection,
    /// Its limits.
    pub(super) limits: Limits,
}

impl Suspect {
    /// The healthy tree with a mutation.
    pub(super) fn mutated(ground: &Ground, mutation: &Mutation) -> Result<Self, Rejection> {
        let mut overlay = Tree::new();
        overlay.insert(mutation.path.clone(), apply(ground.project, mutation)?);
        Self::of(ground, overlay, vec![mutation.place()])
    }

    /// A tree that differs from the healthy one in some files, at some places in them.
    pub(super) fn of(ground: &Ground, overlay: Tree, places: Vec<Place>) -> Result<Self, Rejection> {
        let Ground { environment, project, baseline, .. } = ground;
        let relevant = relevant(ground, &places)?;
        let selection = match (&relevant, &baseline.coverage) {
            (Some(tests), _) => Selection::tests(tests),
            (None, Some(_)) => Selection::tests(&baseline.passing),
            (None, None) if environment.compiles_what_is_selected() => Selection::tests(&baseline.passing),
            (None, None) => Selection::files(project.tests.files.iter()),
        };
        let selection = selection.with_symptoms().within(Some(baseline.processor_for(relevant.as_ref())));
        let limits = baseline.limits_for(relevant.as_ref());
        Ok(Self { places, overlay, relevant, selection, limits })
    }

    fn layers(&self, ground: &Ground) -> Result<[PathBuf; 2], Rejection> {
        Ok([ground.baseline.layer.clone(), ground.layers.layer(&self.overlay)?])
    }

    /// Runs the tests in a fresh sandbox.
    pub(super) fn run(&self, ground: &Ground) -> Result<TestReport, Rejection> {
        let layers = self.layers(ground)?;
        Ok(ground.environment.run_tests(ground.backend, &layers, &self.selection, &self.limits)?)
    }

    /// The record that such a run makes.
    pub(super) fn record(&self, ground: &Ground, report: &TestReport) -> Result<BugRecord, Rejection> {
        let Ground { project, baseline, .. } = ground;
        let relevant = &self.relevant;
        judge(report, baseline)?;
        let (fail_to_pass, pass_to_pass) = split(report, baseline, relevant.as_ref())?;
        let tree_layers = self.layers(ground)?;
        let observe = |layers: &[PathBuf], calls: &[Call]| ground.observe(layers, calls, relevant.as_ref());
        let on_buggy = |calls: &[Call]| observe(&tree_layers, calls);
        let on_healthy = |calls: &[Call]| observe(&tree_layers[..1], calls);
        let main = &self.places[0];
        let calls = baseline.coverage.as_ref().zip(project.tree.text(&main.path));
        let calls = calls.map_or_else(Vec::new, |(coverage, source)| coverage.calls_of(&main.path, source, main.line));
        let mut symptoms = symptom::settle(symptom::seen(&fail_to_pass, report), &on_buggy, &on_healthy)?;
        if symptoms.iter().all(|symptom| symptom.call.is_none()) {
            let test = &fail_to_pass[0];
            let source = test.split("::").next().and_then(|path| project.tree.text(path)).unwrap_or_default();
            symptoms.splice(0..0, proposal::symptoms(test, source, &calls, &on_buggy, &on_healthy)?);
        }
        let mut guards = baseline.guards(relevant.as_ref());
        guards.retain(|id| pass_to_pass.binary_search(id).is_ok());
        let graded = guards.iter().chain(&fail_to_pass).cloned().collect();
        let processor = baseline.graded_processor_for(Some(&graded));
        let guards = Guards { tests: guards.into_iter().collect(), processor };
        let seen = (symptoms, calls);
        let necessary = self.places.iter().map(|place| place.path.clone()).collect();
        let change = Change { places: self.places.clone(), necessary };
        Ok(record(project, change, &self.overlay, (fail_to_pass, pass_to_pass), guards, seen))
    }
}

impl Ground<'_> {
    /// The reliable tests that enter the function around a place; `None` when any test may notice what is there.
    pub(super) fn touching(&self, place: &Place) -> Option<BTreeSet<TestId>> {
        let source = self.project.tree.text(&place.path)?;
        let touching = self.baseline.coverage.as_ref()?.touching(&place.path, source, place.line)?;
        Some(touching.intersection(&self.baseline.passing).cloned().collect())
    }

    /// What calls give on the tree that `layers` make, within the time of some tests.
    pub(super) fn observe(
        &self,
        layers: &[PathBuf],
        calls: &[Call],
        tests: Option<&BTreeSet<TestId>>,
    ) -> Result<Vec<Observation>, SandboxError> {
        let (limits, processor) = (self.baseline.limits_for(tests), self.baseline.graded_processor_for(tests));
        self.environment.evaluate(self.backend, layers, calls, &limits, processor)
    }
}

/// The tests that graded runs hold beside the failing ones, and the time that both take at most.
struct Guards {
    tests: Vec<TestId>,
    processor: Option<Duration>,
}

/// The tests that may notice what differs at some places; `None` when any may.
fn relevant(ground: &Ground, places: &[Place]) -> Result<Option<BTreeSet<TestId>>, Rejection> {
    let mut relevant = Some(BTreeSet::new());
    for place in places {
        let touching = ground.touching(place);
        relevant = relevant.zip(touching).map(|(relevant, touching)| relevant.union(&touching).cloned().collect());
    }
    match relevant {
        Some(tests) if tests.is_empty() => Err(Rejection::NotCovered { function: places[0].function.clone() }),
        relevant => Ok(relevant),
    }
}

/// The text of a mutated file.
pub(super) fn apply(project: &Project, mutation: &Mutation) -> Result<String, Rejection> {
    let misfit = || Rejection::DoesNotFit { path: mutation.path.clone() };
    let source = project.tree.text(&mutation.path).ok_or_else(misfit)?;
    if source.get(mutation.start..mutation.end) != Some(&mutation.before) || mutation.before == mutation.after {
        return Err(misfit());
    }
    Ok(mutation.apply(source))
}

pub(super) fn judge(report: &TestReport, baseline: &Baseline) -> Result<(), Rejection> {
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
    change: Change,
    overlay: &Tree,
    (fail_to_pass, pass_to_pass): (Vec<TestId>, Vec<TestId>),
    guards: Guards,
    (symptoms, calls): (Vec<Symptom>, Vec<String>),
) -> BugRecord {
    let buggy = project.tree.clone().with(overlay);
    BugRecord {
        id: identity(&project.tree, &buggy, &fail_to_pass, &pass_to_pass),
        project: project.name.clone(),
        origin: project.origin.clone(),
        tests: project.tests.clone(),
        fixed: project.tree.clone(),
        buggy,
        change,
        fail_to_pass,
        pass_to_pass,
        guards: guards.tests,
        processor: guards.processor,
        symptoms,
        report: None,
        calls,
        words: Words::default(),
    }
}

fn identity(fixed: &Tree, buggy: &Tree, fail_to_pass: &[TestId], pass_to_pass: &[TestId]) -> String {
    let parts = (fixed.id(), buggy.id(), fail_to_pass, pass_to_pass);
    let bytes = serde_json::to_vec(&parts).expect("ids and test names are plain text");
    blake3::hash(&bytes).to_hex()[..16].to_owned()
}
