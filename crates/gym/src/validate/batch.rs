//! Many mutations of one healthy tree: their tests run in forks of one interpreter, which saves most of the time.
//!
//! The code is the package's own. What a fork cannot show beyond doubt is run again in a fresh sandbox, so that the records and rejections
//! are those of [`validate`](super::validate).

use super::Rejection;
use super::confirm::{Ground, Suspect};
use crate::languages::{Health, TestReport, WarmRun};
use crate::record::{BugRecord, Mutation};

/// How many mutations share an interpreter when so many records are wanted. To start one and to collect tests in it costs as much as a dozen
/// runs; but what a batch has beyond the wanted records is tried in vain, and all workers shall have one.
pub fn batch(records: usize) -> usize {
    (records / 4).clamp(8, 64)
}

/// A mutation whose tests have run.
pub struct Tried {
    suspect: Suspect,
    report: TestReport,
}

impl Tried {
    /// Makes the record.
    ///
    /// # Errors
    /// [`Rejection`] with the reason.
    pub fn confirm(&self, ground: &Ground) -> Result<BugRecord, Rejection> {
        self.suspect.record(ground, &self.report)
    }
}

/// Applies each mutation to the healthy tree, alone, and runs the tests that may notice it.
pub fn try_all(ground: &Ground, mutations: &[Mutation]) -> Vec<Result<Tried, Rejection>> {
    let suspects: Vec<Result<Suspect, Rejection>> =
        mutations.iter().map(|mutation| Suspect::mutated(ground, mutation)).collect();
    let whole: Vec<&Suspect> = suspects.iter().flatten().collect();
    let mut reports = warm(ground, &whole).into_iter();
    let tried = |suspect: Result<Suspect, Rejection>| {
        let suspect = suspect?;
        let report = reports.next().flatten().filter(is_beyond_doubt);
        let report = report.map_or_else(|| suspect.run(ground), Ok)?;
        Ok(Tried { suspect, report })
    };
    suspects.into_iter().map(tried).collect()
}

fn warm(ground: &Ground, suspects: &[&Suspect]) -> Vec<Option<TestReport>> {
    let Ground { backend, environment, baseline, .. } = ground;
    let runs: Vec<WarmRun<'_>> = suspects
        .iter()
        .map(|suspect| WarmRun { patch: &suspect.overlay, selection: &suspect.selection, wall: suspect.limits.wall })
        .collect();
    let Some(first) = suspects.first() else { return Vec::new() };
    let layers = std::slice::from_ref(&baseline.layer);
    // Whatever fails here is tried again in fresh sandboxes.
    environment.run_warm(*backend, layers, &runs, &first.limits).unwrap_or_else(|_| vec![None; runs.len()])
}

/// A process that was killed or broke its report may have been disturbed by what ran before it.
fn is_beyond_doubt(report: &TestReport) -> bool {
    report.health.believable() || report.health == Health::TimedOut
}
