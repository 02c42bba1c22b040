//! From a pair of releases to bug records: which differences a test of the newer release needs.
//!
//! All differences of code are taken back in the newer release. Some of them have to stay so that its tests can be collected at all: its
//! interface. For every test that fails without the others, delta debugging finds a smallest set of them with which it passes. Taken back alone
//! in the newer release, such a set is a bug if the test fails, and every single difference of it is needed if the test also fails without that one.

use std::collections::BTreeSet;

use super::confirm::{Ground, Suspect, confirm, judge};
use super::history::{in_order, necessary, unknown_name};
use super::minimal::minimal;
use super::{LONGEST_RUN, Rejection, SLOW_TEST};
use crate::languages::{Selection, Status, TestReport};
use crate::record::{BugRecord, TestId};
use crate::sources::releases::Upgrade;

/// Runs of tests that one pair is worth.
const MOST_RUNS: usize = 200;
/// A repair is at most this large.
const MOST_LINES: usize = 200;

/// At most `most` bug records from a pair, or why a set of differences is none. The ground is that of the newer release.
///
/// # Errors
/// [`Rejection`] when the pair as a whole has none.
pub fn validate_upgrade(
    ground: &Ground,
    upgrade: &Upgrade,
    most: usize,
) -> Result<Vec<Result<BugRecord, Rejection>>, Rejection> {
    let mut trial = Trial { ground, upgrade, runs: 0 };
    let all: BTreeSet<usize> = (0..upgrade.hunks.len()).collect();
    let open = &all - &trial.interface(&all)?;
    let mut failing = trial.failing(&open)?;
    if failing.is_empty() {
        return Err(Rejection::NothingRepaired);
    }
    let mut sets: Vec<BTreeSet<usize>> = Vec::new();
    let mut found: Vec<Result<BugRecord, Rejection>> = Vec::new();
    while let Some(test) = failing.pop_first().filter(|_| found.iter().flatten().count() < most) {
        match trial.repair(&test, &open, &sets) {
            // What was found so far stays.
            Err(rejection @ Rejection::TooCostly(_)) => {
                found.push(Err(rejection));
                break;
            }
            set => sets.extend(set?),
        }
        let Some(set) = sets.last().filter(|_| found.len() < sets.len()) else { continue };
        let outcome = trial.record(&test, set);
        match outcome {
            Err(rejection) if rejection.is_infrastructure() => return Err(rejection),
            Err(_) => {}
            Ok(ref record) => failing.retain(|test| !record.fail_to_pass.contains(test)),
        }
        found.push(outcome);
    }
    Ok(found)
}

/// Runs of the newer release with some differences taken back.
struct Trial<'a> {
    ground: &'a Ground<'a>,
    upgrade: &'a Upgrade,
    runs: usize,
}

impl Trial<'_> {
    fn run(&mut self, undone: &BTreeSet<usize>, selection: Selection) -> Result<TestReport, Rejection> {
        self.runs += 1;
        if self.runs > MOST_RUNS {
            return Err(Rejection::TooCostly(MOST_RUNS));
        }
        let Ground { backend, environment, layers, baseline, .. } = *self.ground;
        let selection = Selection { patience: Some(SLOW_TEST), ..selection.within(Some(LONGEST_RUN)) };
        let tree = [baseline.layer.clone(), layers.layer(&self.upgrade.without(undone))?];
        Ok(environment.run_tests(backend, &tree, &selection, &baseline.limits_for(None))?)
    }

    /// The differences that cannot be taken back without that tests cannot be collected any more.
    fn interface(&mut self, all: &BTreeSet<usize>) -> Result<BTreeSet<usize>, Rejection> {
        if self.collects(all)? {
            return Ok(BTreeSet::new());
        }
        minimal(all, &mut |kept| self.collects(&(all - kept)))
    }

    fn collects(&mut self, undone: &BTreeSet<usize>) -> Result<bool, Rejection> {
        let report = self.run(undone, Selection::tests(&self.ground.baseline.passing))?;
        Ok(judge(&report, self.ground.baseline).is_ok())
    }

    /// The tests that fail with some differences taken back.
    fn failing(&mut self, undone: &BTreeSet<usize>) -> Result<BTreeSet<TestId>, Rejection> {
        let passing = &self.ground.baseline.passing;
        let report = self.run(undone, Selection::tests(passing))?;
        judge(&report, self.ground.baseline)?;
        let fails = |id: &&TestId| {
            let status = report.outcomes.get(*id).map(|outcome| outcome.status);
            matches!(status, Some(Status::Failed | Status::Error))
        };
        Ok(passing.iter().filter(fails).cloned().collect())
    }

    fn passes(&mut self, undone: &BTreeSet<usize>, test: &TestId) -> Result<bool, Rejection> {
        let report = self.run(undone, Selection::tests([test]))?;
        Ok(report.all_passed(std::slice::from_ref(test)).is_ok())
    }

    /// A smallest set of differences with which a test passes; `None` when one that is known will do.
    fn repair(
        &mut self,
        test: &TestId,
        open: &BTreeSet<usize>,
        known: &[BTreeSet<usize>],
    ) -> Result<Option<BTreeSet<usize>>, Rejection> {
        for set in known {
            if self.passes(&(open - set), test)? {
                return Ok(None);
            }
        }
        minimal(open, &mut |kept| self.passes(&(open - kept), test)).map(Some)
    }

    fn record(&mut self, test: &TestId, set: &BTreeSet<usize>) -> Result<BugRecord, Rejection> {
        let (places, lines) = self.upgrade.places(set);
        if lines > MOST_LINES {
            return Err(Rejection::TooLong { lines, allowed: MOST_LINES });
        }
        for at in set.iter().filter(|_| set.len() > 1) {
            if self.passes(&BTreeSet::from([*at]), test)? {
                let hunk = &self.upgrade.hunks[*at];
                return Err(Rejection::NotNecessary { path: hunk.path.clone(), line: hunk.lines.start + 1 });
            }
        }
        let buggy = self.upgrade.without(set);
        let places = in_order(self.ground, places, &buggy, &BTreeSet::from([test.clone()]));
        let mut record = confirm(self.ground, &Suspect::of(self.ground, buggy, places)?)?;
        if !record.fail_to_pass.contains(test) {
            return Err(Rejection::Survived);
        }
        if let Some(name) = unknown_name(&record, &self.upgrade.new_names(set)) {
            return Err(Rejection::NeedsInterface(format!("the tests use `{name}`, which the newer release brings")));
        }
        record.change.necessary = necessary(self.ground, &record)?;
        Ok(record)
    }
}
