//! Many mutations of one healthy tree: their tests run in forks of one interpreter, which saves most of the time.
//!
//! The code is the package's own. What a fork cannot show beyond doubt is run again in a fresh sandbox, so that the records and rejections
//! are those of [`validate`](super::validate).

use std::collections::HashMap;

use super::Rejection;
use super::confirm::{Ground, Suspect};
use crate::languages::{Health, TestReport, WarmRun};
use crate::record::{BugRecord, Mutation};

/// A run costs as much as so many tests before it has run one.
const START: usize = 50;

/// Cuts `mutations` into those that share an interpreter when so many records are wanted: their tests take equally long, because the
/// mutations of a function with many come last, and those of one that runs at import need every test.
///
/// To start an interpreter and to collect tests in it costs as much as a dozen runs; but what a batch has beyond the wanted records is
/// tried in vain, and all workers shall have one.
pub fn batches<'a>(ground: &Ground, mutations: &'a [Mutation], records: usize) -> Vec<&'a [Mutation]> {
    let mut tests = HashMap::new();
    let costs = mutations.iter().map(|mutation| {
        let tests = tests.entry((&mutation.path, &mutation.function));
        let any = || ground.baseline.passing.len();
        START + *tests.or_insert_with(|| ground.touching(&mutation.place()).map_or_else(any, |tests| tests.len()))
    });
    let costs: Vec<usize> = costs.collect();
    cut(mutations, &costs, mutations.len().div_ceil((records / 4).clamp(8, 64)))
}

/// At most so many parts that cost the same, as nearly as can be in this order.
fn cut<'a, T>(items: &'a [T], costs: &[usize], parts: usize) -> Vec<&'a [T]> {
    let total: usize = costs.iter().sum();
    let before = costs.iter().scan(0, |sum, cost| Some(std::mem::replace(sum, *sum + cost)));
    let part: Vec<usize> = before.map(|before| before * parts / total).collect();
    let mut rest = items;
    part.chunk_by(PartialEq::eq).filter_map(|same| rest.split_off(..same.len())).collect()
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

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn parts_cost_the_same_and_keep_the_order() {
        assert_eq!(cut(&[1, 2, 3, 4, 5, 6], &[1, 1, 1, 1, 4, 4], 3), [&[1, 2, 3, 4][..], &[5], &[6]]);
        assert_eq!(cut(&[1, 2, 3], &[9, 1, 1], 3), [&[1][..], &[2, 3]]);
        assert!(cut::<u8>(&[], &[], 0).is_empty());
    }
}
