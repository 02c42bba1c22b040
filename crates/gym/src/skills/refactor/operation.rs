//! What shall be done, chosen so that it can be done mechanically, and done; a file for each kind of it.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::extract::Extract;
use super::predicates::Handed;
use super::relocate::Move;
use super::rename::Rename;
use super::{Build, Rejection};
use crate::languages::Selection;
use crate::languages::python::hollow::hollow;
use crate::record::{BugRecord, TestId};
use crate::tree::Tree;

/// Tests that show whether the function is used, at most.
const MOST_USING: usize = 6;

/// What is done with a function. The fields tell the kinds apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Operation {
    /// It gets another name, everywhere.
    Rename(Rename),
    /// It gets another module.
    Move(Move),
    /// A part of it becomes a function.
    Extract(Extract),
}

/// Operations on the function that the record is about, so that records give different tasks, in random order; and why there are not more.
pub(super) fn all(record: &BugRecord, rng: &mut ChaCha8Rng) -> (Vec<Operation>, Vec<Rejection>) {
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    let tried = [
        Rename::choose(record, rng).map(Operation::Rename),
        Move::choose(record, rng).map(Operation::Move),
        Extract::choose(record, rng).map(Operation::Extract),
    ];
    for operation in tried {
        match operation {
            Ok(operation) => found.push(operation),
            Err(rejection) => reasons.push(rejection),
        }
    }
    found.shuffle(rng);
    (found, reasons)
}

impl Operation {
    /// The project after it.
    pub(super) fn perform(&self, tree: &Tree, roots: &[String]) -> Tree {
        match self {
            Self::Rename(rename) => rename.perform(tree),
            Self::Move(relocation) => relocation.perform(tree, roots),
            Self::Extract(extract) => extract.perform(tree),
        }
    }

    /// What the agent is asked for.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Rename(rename) => rename.in_words(),
            Self::Move(relocation) => relocation.in_words(),
            Self::Extract(extract) => extract.in_words(),
        }
    }

    /// What of the kind is not there, in words.
    pub(super) fn broken(&self, handed: &Handed<'_>) -> Option<String> {
        match self {
            Self::Rename(rename) => rename.broken(handed),
            Self::Move(relocation) => relocation.broken(handed),
            Self::Extract(extract) => extract.broken(handed),
        }
    }

    /// The file and the name of the function that there is afterwards.
    pub(super) fn made(&self) -> (&str, &str) {
        match self {
            Self::Rename(Rename { path, new, .. }) => (path, new),
            Self::Move(Move { name, to, .. }) => (to, name),
            Self::Extract(Extract { path, helper, .. }) => (path, helper),
        }
    }

    /// The file of the function that there is afterwards without what it does.
    pub(super) fn hollow(&self, tree: &Tree) -> Option<Tree> {
        let (path, name) = self.made();
        let mut patch = Tree::new();
        patch.insert(path, hollow(tree.text(path)?, name)?);
        Some(patch)
    }
}

/// What execution shows of a refactoring that was done.
pub(super) struct Shown {
    /// Tests that fail before it and pass after it; none where no test names what changed.
    pub(super) fail_to_pass: Vec<TestId>,
    /// Tests that pass on both.
    pub(super) pass_to_pass: Vec<TestId>,
    /// Tests that fail when the function that was made does nothing: it is used.
    pub(super) using: Vec<TestId>,
}

/// Runs the tests of the record before, after, and with a function that does nothing.
pub(super) fn show(
    build: &Build,
    record: &BugRecord,
    operation: &Operation,
    (before, after): (&Tree, &Tree),
) -> Result<Shown, Rejection> {
    let ids: Vec<&TestId> = record.fail_to_pass.iter().chain(&record.guards).collect();
    let passing = |layers: &[&Tree]| {
        let selection = Selection::tests(ids.iter().copied()).within(record.processor.map(|limit| limit * 2));
        let report = build.workshop.run_tests(&record.tests, layers, &selection);
        let report = report.map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
        Ok::<_, Rejection>(if report.health.believable() { report.passing() } else { Vec::new() })
    };
    let new = passing(&[after])?;
    if let Some(lost) = ids.iter().find(|id| !new.contains(id)) {
        return Err(Rejection::new("behaviour", format!("`{lost}` does not pass after it")));
    }
    let old = passing(&[before])?;
    let hollow = operation.hollow(after).ok_or_else(|| Rejection::new("unclear_name", "it makes no function"))?;
    let without = passing(&[after, &hollow])?;
    let using: Vec<TestId> = new.iter().filter(|id| !without.contains(id)).take(MOST_USING).cloned().collect();
    let (pass_to_pass, fail_to_pass): (Vec<TestId>, Vec<TestId>) = new.into_iter().partition(|id| old.contains(id));
    match (using.is_empty(), pass_to_pass.is_empty()) {
        (true, _) => Err(Rejection::new("not_noticed", "no test fails when the function does nothing")),
        (_, true) => Err(Rejection::new("none_passes", "no test passes without it")),
        _ => Ok(Shown { fail_to_pass, pass_to_pass, using }),
    }
}
