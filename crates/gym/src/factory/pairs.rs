//! Bugs in two files: for a bug record, a second mutation that causes one of its symptoms, too.

use std::collections::BTreeSet;

use super::steps::Bench;
use crate::record::{BugRecord, Mutation, TestId};
use crate::validate::validate_pair;

/// Second mutations that are tried for one record.
const TRIES: usize = 6;

/// One mutation of every function, with the tests that enter the function.
pub(super) struct Partners<'a> {
    bench: &'a Bench<'a>,
    functions: Vec<(&'a Mutation, BTreeSet<TestId>)>,
}

impl<'a> Partners<'a> {
    /// Those of a project whose suite says which functions each test enters; none of others.
    pub(super) fn of(bench: &'a Bench<'a>, sites: &'a [Mutation]) -> Self {
        let mut seen = BTreeSet::new();
        let first = sites.iter().filter(|site| seen.insert((&site.path, &site.function)));
        let functions = first.filter_map(|site| Some((site, bench.touching(site)?))).collect();
        Self { bench, functions }
    }

    /// The first record that a second mutation of another file makes of this one.
    pub(super) fn pair(&self, record: &BugRecord) -> Option<BugRecord> {
        let shown = record.symptoms.iter().filter(|symptom| symptom.call.is_some() && symptom.expected.is_some());
        let tests: BTreeSet<&TestId> = shown.map(|symptom| &symptom.test).collect();
        let changed = record.change.paths();
        let elsewhere = self.functions.iter().filter(|(site, _)| !changed.contains(&site.path));
        let entered = elsewhere.filter(|(_, entering)| tests.iter().any(|test| entering.contains(*test)));
        entered.take(TRIES).find_map(|(site, _)| validate_pair(&self.bench.ground(), record, site).ok())
    }
}
