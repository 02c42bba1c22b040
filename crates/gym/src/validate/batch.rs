//! Many mutations of one healthy tree: their tests run in forks of one interpreter, which saves most of the time.
//!
//! The code is the package's own. What a fork cannot show beyond doubt is run again in a fresh sandbox, so that the records and rejections
//! are those of [`validate`](super::validate).

use super::Rejection;
use super::confirm::{Ground, Mutant};
use crate::languages::{Health, TestReport, WarmRun};
use crate::record::{BugRecord, Mutation};

/// Mutations that share an interpreter. More would save little, and be tried in vain at the end.
pub const BATCH: usize = 8;

/// A mutation whose tests have run.
pub struct Tried<'a> {
    mutant: Mutant<'a>,
    report: TestReport,
}

impl Tried<'_> {
    /// Makes the record.
    ///
    /// # Errors
    /// [`Rejection`] with the reason.
    pub fn confirm(&self, ground: &Ground) -> Result<BugRecord, Rejection> {
        self.mutant.record(ground, &self.report)
    }
}

/// Applies each mutation to the healthy tree, alone, and runs the tests that may notice it.
pub fn try_all<'a>(ground: &Ground, mutations: &'a [Mutation]) -> Vec<Result<Tried<'a>, Rejection>> {
    let mutants: Vec<Result<Mutant<'a>, Rejection>> =
        mutations.iter().map(|mutation| Mutant::of(ground, mutation, None)).collect();
    let whole: Vec<&Mutant<'_>> = mutants.iter().flatten().collect();
    let mut reports = warm(ground, &whole).into_iter();
    let tried = |mutant: Result<Mutant<'a>, Rejection>| {
        let mutant = mutant?;
        let report = reports.next().flatten().filter(is_beyond_doubt);
        let report = report.map_or_else(|| mutant.run(ground), Ok)?;
        Ok(Tried { mutant, report })
    };
    mutants.into_iter().map(tried).collect()
}

fn warm(ground: &Ground, mutants: &[&Mutant<'_>]) -> Vec<Option<TestReport>> {
    let Ground { backend, environment, baseline, .. } = ground;
    let runs: Vec<WarmRun<'_>> = mutants
        .iter()
        .map(|mutant| WarmRun { patch: &mutant.overlay, selection: &mutant.selection, wall: mutant.limits.wall })
        .collect();
    let Some(first) = mutants.first() else { return Vec::new() };
    let layers = std::slice::from_ref(&baseline.layer);
    // Whatever fails here is tried again in fresh sandboxes.
    environment.run_warm(*backend, layers, &runs, &first.limits).unwrap_or_else(|_| vec![None; runs.len()])
}

/// A process that was killed or broke its report may have been disturbed by what ran before it.
fn is_beyond_doubt(report: &TestReport) -> bool {
    report.health.believable() || report.health == Health::TimedOut
}
