//! What shall be done to which function, chosen so that it can be done mechanically, and done.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection};
use crate::languages::Selection;
use crate::languages::python::references::{Uses, renamed, uses};
use crate::record::{BugRecord, TestId};
use crate::tree::Tree;

/// A function that is used in fewer places is found by reading one file.
const FEWEST_REFERENCES: usize = 3;
/// Words for what a function does to its arguments; one of them makes another name.
const WORDS: [&str; 6] = ["compute", "derive", "obtain", "produce", "evaluate", "resolve"];

/// What is done: the function at the top of a file gets another name, everywhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    /// The file of the function.
    pub(super) path: String,
    /// Its name.
    pub(super) old: String,
    /// The name that it shall have.
    pub(super) new: String,
}

/// An operation on the function that the record is about, so that records give different tasks.
pub(super) fn choose(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Operation, Rejection> {
    let main = record.change.main();
    let word = WORDS[rng.random_range(0..WORDS.len())];
    let plain = main.function.trim_start_matches('_');
    let private = if main.function.starts_with('_') { "_" } else { "" };
    let new = format!("{private}{word}_{plain}");
    let operation = Operation { path: main.path.clone(), old: main.function.clone(), new };
    match !main.function.is_empty() && operation.is_clear(record) {
        true => Ok(operation),
        false => Err(Rejection::new(
            "unclear_name",
            format!(
                "`{}` is no function at the top, means several things, stands in texts, or is used in one place",
                main.function
            ),
        )),
    }
}

impl Operation {
    /// The project after it.
    pub(super) fn perform(&self, tree: &Tree) -> Tree {
        let mut after = tree.clone();
        for path in tree.paths().filter(|path| path.ends_with(".py")) {
            if let Some(text) = tree.text(path) {
                after.insert(path, renamed(text, &self.old, &self.new));
            }
        }
        after
    }

    /// What the agent is asked for.
    pub(super) fn in_words(&self) -> String {
        format!("Rename the function `{}` of `{}` to `{}`, everywhere in the sources.", self.old, self.path, self.new)
    }

    /// Whether the name means one thing, is used in several files, and the other one is free.
    fn is_clear(&self, record: &BugRecord) -> bool {
        let texts: Vec<(&str, &str)> = record
            .fixed
            .paths()
            .filter(|path| path.ends_with(".py"))
            .filter_map(|path| Some((path, record.fixed.text(path)?)))
            .collect();
        let found: Vec<(&str, Uses)> = texts.iter().map(|(path, text)| (*path, uses(text, &self.old))).collect();
        let sum = |of: fn(&Uses) -> usize| found.iter().map(|(_, uses)| of(uses)).sum::<usize>();
        let files = found.iter().filter(|(_, uses)| uses.references > 0).count();
        let own = found.iter().find(|(path, _)| *path == self.path).map_or(0, |(_, uses)| uses.functions);
        let is_free = texts.iter().all(|(_, text)| !text.contains(&self.new));
        own == 1
            && is_free
            && sum(|uses| uses.functions) == 1
            && sum(|uses| uses.others) == 0
            && sum(|uses| uses.texts) == 0
            && files >= 2
            && sum(|uses| uses.references) >= FEWEST_REFERENCES
    }
}

/// The tests that fail before and pass after, and those that pass on both; as execution shows.
pub(super) fn split(
    build: &Build,
    record: &BugRecord,
    before: &Tree,
    after: &Tree,
) -> Result<(Vec<TestId>, Vec<TestId>), Rejection> {
    let ids: Vec<&TestId> = record.fail_to_pass.iter().chain(&record.guards).collect();
    let passing = |tree: &Tree| {
        let selection = Selection::tests(ids.iter().copied()).within(record.processor.map(|limit| limit * 2));
        let report = build.workshop.run_tests(&record.tests, &[tree], &selection);
        let report = report.map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
        Ok::<_, Rejection>(if report.health.believable() { report.passing() } else { Vec::new() })
    };
    let (old, new) = (passing(before)?, passing(after)?);
    if let Some(lost) = ids.iter().find(|id| !new.contains(id)) {
        return Err(Rejection::new("behaviour", format!("`{lost}` does not pass after it")));
    }
    let (pass_to_pass, fail_to_pass): (Vec<TestId>, Vec<TestId>) = new.into_iter().partition(|id| old.contains(id));
    match (fail_to_pass.is_empty(), pass_to_pass.is_empty()) {
        (true, _) => Err(Rejection::new("not_noticed", "no test uses the function by its name")),
        (_, true) => Err(Rejection::new("none_passes", "no test passes without it")),
        _ => Ok((fail_to_pass, pass_to_pass)),
    }
}
