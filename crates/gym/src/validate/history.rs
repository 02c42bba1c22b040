//! From a commit that may have repaired something to a bug record.
//!
//! Three runs of the tests that the commit changed say whether it is worth more: before the commit, with its tests, and with its tests and
//! its sources. Only then the whole suite runs, twice, on the healthy tree; on the buggy one run the tests that may notice, and before the
//! commit those that fail after it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use basis_sandbox::{Backend, Limits};

use super::confirm::{Ground, Suspect, confirm};
use super::{LONGEST_RUN, Rejection, SLOW_TEST};
use crate::languages::{self, Environment, Health, Selection, Status, TestReport};
use crate::record::{BugRecord, Place, TestId};
use crate::sources::history::Fix;
use crate::tree::{LayerStore, Tree};

/// What the code of a commit is run with.
pub struct Lab<'a> {
    /// Makes sandboxes.
    pub backend: &'a dyn Backend,
    /// What the tests run in.
    pub environment: &'a dyn Environment,
    /// Trees on disk.
    pub layers: &'a LayerStore,
    /// Limits of each run.
    pub limits: Limits,
}

/// What the changed tests showed.
pub struct Shown {
    /// Tests that the sources of the commit repair.
    repaired: BTreeSet<TestId>,
    /// Tests that were there before the commit and did not pass.
    failing_before: BTreeSet<TestId>,
}

/// Runs the changed tests before the commit, with its tests, and with its tests and its sources.
///
/// # Errors
/// [`Rejection`] when they do not show a repair.
pub fn try_fix(lab: &Lab, fix: &Fix) -> Result<Shown, Rejection> {
    let (healthy, tests) = (lab.layers.layer(&fix.project.tree)?, lab.layers.layer(&fix.tests)?);
    let buggy = [healthy.clone(), lab.layers.layer(&fix.buggy)?, lab.layers.layer(&fix.tests_buggy)?];
    let after = lab.run(&[healthy, tests], &fix.tests)?;
    if after.outcomes.is_empty() || !after.health.believable() {
        let told = if after.health == Health::Sound { "none of them ran".to_owned() } else { after.health.detail() };
        return Err(Rejection::NothingCaptured(told));
    }
    let with_tests = lab.run(&buggy, &fix.tests)?;
    match (&with_tests.health, &after.health) {
        (Health::CollectFailed(_), Health::Sound) => return Err(Rejection::NeedsInterface(with_tests.health.detail())),
        (health, _) if !health.believable() => return Err(unbelievable(&with_tests)),
        _ => {}
    }
    let passes = |report: &TestReport, id: &TestId| report.outcomes.get(id).is_some_and(|outcome| outcome.passed());
    let repaired: BTreeSet<TestId> = after.passing().into_iter().filter(|id| !passes(&with_tests, id)).collect();
    if repaired.is_empty() {
        return Err(Rejection::NothingRepaired);
    }
    if fix.tests_before.is_empty() {
        return Ok(Shown { repaired, failing_before: BTreeSet::new() });
    }
    let base = [lab.layers.layer(&fix.base)?, lab.layers.layer(&fix.tests_before)?];
    let before = lab.run(&base, &fix.tests_before)?;
    if !before.health.believable() {
        return Err(unbelievable(&before));
    }
    let broken = |id: &&TestId| matches!(status(&after, id), Some(Status::Failed | Status::Error));
    if let Some(id) = before.passing().iter().find(broken) {
        return match status(&with_tests, id) {
            None | Some(Status::Missing) => Err(Rejection::Vanished(id.clone())),
            Some(_) => Err(Rejection::PassToFail(id.clone())),
        };
    }
    Ok(Shown { repaired, failing_before: before.not_passing().into_iter().collect() })
}

impl Lab<'_> {
    fn run(&self, layers: &[PathBuf], files: &Tree) -> Result<TestReport, Rejection> {
        let selection =
            Selection { patience: Some(SLOW_TEST), ..Selection::files(files.paths()).within(Some(LONGEST_RUN)) };
        Ok(self.environment.run_tests(self.backend, layers, &selection, &self.limits)?)
    }
}

fn status(report: &TestReport, id: &TestId) -> Option<Status> {
    report.outcomes.get(id).map(|outcome| outcome.status)
}

fn unbelievable(report: &TestReport) -> Rejection {
    match report.health {
        Health::TimedOut => Rejection::Hangs,
        _ => Rejection::Unbelievable { code: report.health.code(), detail: report.health.detail() },
    }
}

/// Makes the record. The ground is that of the healthy tree of the commit.
///
/// # Errors
/// [`Rejection`] with the reason.
pub fn validate_fix(ground: &Ground, fix: &Fix, shown: &Shown) -> Result<BugRecord, Rejection> {
    if let Some(id) = broken(ground, fix)? {
        return Err(Rejection::PassToFail(id));
    }
    let places = in_order(ground, fix.places.clone(), &fix.buggy, &shown.repaired);
    let mut record = confirm(ground, &Suspect::of(ground, fix.buggy.clone(), places)?)?;
    if let Some(name) = unknown_name(&record, &fix.new_names) {
        return Err(Rejection::NeedsInterface(format!("the tests use `{name}`, which the commit brings")));
    }
    let is_steady = |id: &TestId| !shown.failing_before.contains(id);
    record.pass_to_pass.retain(is_steady);
    record.guards.retain(is_steady);
    if record.pass_to_pass.is_empty() {
        return Err(Rejection::NonePasses);
    }
    record.change.necessary = necessary(ground, &record)?;
    record.report.clone_from(&fix.report);
    Ok(record)
}

/// A test that fails after the commit and passed before it.
fn broken(ground: &Ground, fix: &Fix) -> Result<Option<TestId>, Rejection> {
    let failing: Vec<&TestId> = ground.baseline.failing.iter().filter(|id| body(&fix.base, id).is_some()).collect();
    if failing.is_empty() {
        return Ok(None);
    }
    let selection = Selection { patience: Some(SLOW_TEST), ..Selection::tests(failing).within(Some(LONGEST_RUN)) };
    let limits = ground.baseline.limits_for(None);
    let base = [ground.layers.layer(&fix.base)?];
    let before = ground.environment.run_tests(ground.backend, &base, &selection, &limits)?;
    Ok(before.passing().into_iter().next())
}

/// The places, those first in functions that are there on both sides and that most of the repaired tests enter.
pub(super) fn in_order(
    ground: &Ground,
    mut places: Vec<Place>,
    buggy: &Tree,
    repaired: &BTreeSet<TestId>,
) -> Vec<Place> {
    let was_there = |place: &Place| {
        let before = languages::functions(&place.path, buggy.text(&place.path).unwrap_or_default());
        before.iter().any(|span| span.qualified() == place.function)
    };
    let entering = |place: &Place| ground.touching(place).map_or(0, |tests| tests.intersection(repaired).count());
    places.sort_by_cached_key(|place| std::cmp::Reverse((was_there(place), entering(place))));
    places
}

/// A name that the fail-to-pass tests use and that is not there on the buggy tree: nobody could guess it.
pub(super) fn unknown_name(record: &BugRecord, new_names: &BTreeSet<String>) -> Option<String> {
    let bodies: Vec<&str> = record.fail_to_pass.iter().filter_map(|id| body(&record.fixed, id)).collect();
    let is_used = |name: &&String| {
        let is_name = |word: &str| word == name.as_str();
        bodies.iter().any(|body| body.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(is_name))
    };
    new_names.iter().find(is_used).cloned()
}

/// The text of a test.
fn body<'a>(tree: &'a Tree, id: &str) -> Option<&'a str> {
    let (path, name) = id.split_once("::")?;
    let tests = languages::of_path(path)?.anatomy().tests(tree.text(path)?);
    let named = |wanted: &str| tests.iter().find(|(name, _)| name == wanted).map(|(_, text)| *text);
    // Parameters stand behind the name.
    named(name).or_else(|| named(name.split('[').next()?))
}

/// The files without whose change some fail-to-pass test still fails.
pub(super) fn necessary(ground: &Ground, record: &BugRecord) -> Result<BTreeSet<String>, Rejection> {
    let paths = record.change.paths();
    if paths.len() == 1 {
        return Ok(paths);
    }
    let selection = Selection::tests(&record.fail_to_pass).within(record.processor);
    let mut necessary = BTreeSet::new();
    for path in paths {
        let mut undone = Tree::new();
        undone.insert(path.clone(), record.buggy.get(&path).unwrap_or_default());
        let layers = [ground.baseline.layer.clone(), ground.layers.layer(&undone)?];
        let limits = ground.baseline.limits_for(None);
        let report = ground.environment.run_tests(ground.backend, &layers, &selection, &limits)?;
        if report.all_passed(&record.fail_to_pass).is_err() {
            necessary.insert(path);
        }
    }
    Ok(necessary)
}
