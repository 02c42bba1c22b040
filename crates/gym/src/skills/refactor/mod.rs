//! Refactoring: a function gets another name or another module, or a part of it becomes a function, and everything else does what it did. A
//! composite kind, for evaluation only, in Python.
//!
//! Tests that use the function as it shall be decide about behaviour; the syntax of what is handed in decides whether the work was done
//! rather than hidden behind an alias, a copy or a wrapper. At last the function that was made loses its body: if the tests that need it still pass, it is
//! not what the code uses.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::repair::{self, Repair};
use crate::grade::verdict::{Table, Verdict, nothing};
use crate::languages::{Language, Selection, is_source};
use crate::record::{BugRecord, TestId};
use crate::task::Task;

mod extract;
mod operation;
mod predicates;
mod relocate;
mod rename;
#[cfg(test)]
mod tests;

use operation::Operation;
use predicates::Handed;

/// The composite kind.
pub struct Refactor;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// The tree before and after, both with the tests as they shall be.
    repair: Repair,
    operation: Operation,
    /// Tests that fail when the function that was made does nothing.
    #[serde(default)]
    using: Vec<TestId>,
}

impl Skill for Refactor {
    fn name(&self) -> &'static str {
        "refactor"
    }

    fn grader(&self) -> &'static str {
        "refactor/2"
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn suits_generated(&self) -> bool {
        false
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.name() == "python"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let (found, mut reasons) = operation::all(record, rng);
        for operation in found {
            match task(build, record, operation) {
                Ok(task) => return Ok(vec![task]),
                Err(rejection) if rejection.code == "infrastructure" => return Err(rejection),
                Err(rejection) => reasons.push(rejection),
            }
        }
        let reasons: Vec<String> = reasons.iter().map(|it| format!("{}: {}", it.code, it.detail)).collect();
        Err(Rejection::new("no_operation", reasons.join("; ")))
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        let read = |id| workshop.blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
        let (before, after) = (read(&hidden.repair.buggy)?, read(&hidden.repair.fixed)?);
        let handed = Handed::of(&before, &after, submission, &task.context.tests);
        let broken = |handed: &Handed| hidden.operation.broken(handed).or_else(|| handed.has_more());
        if let Some(detail) = handed.as_ref().and_then(broken) {
            return Ok(nothing("structure", detail, Table::new()));
        }
        let score = repair::grade(workshop, task, &hidden.repair, submission)?;
        match handed.filter(|_| score.reward > 0.0) {
            Some(handed) if hidden.is_unused(workshop, task, &handed)? => {
                let detail = format!("the tests pass without `{}`", hidden.operation.made().1);
                Ok(nothing("unused", detail, score.table))
            }
            _ => Ok(score),
        }
    }

    fn reference(&self, workshop: &Workshop, task: &Task) -> Result<Submission, String> {
        draft::hidden::<Hidden>(task)?.repair.reference(workshop)
    }

    fn teacher(&self, _: &Workshop, _: &Task, _: f64, _: ChaCha8Rng) -> Result<Teacher, String> {
        Err("nobody teaches how to refactor".to_owned())
    }
}

impl Hidden {
    /// Whether the tests that need the function pass although it does nothing.
    fn is_unused(&self, workshop: &Workshop, task: &Task, handed: &Handed<'_>) -> Result<bool, InvalidCause> {
        let Some(hollow) = self.operation.hollow(&handed.tree).filter(|_| !self.using.is_empty()) else {
            return Ok(false);
        };
        let limit = self.repair.processor_seconds.map(std::time::Duration::from_secs);
        let selection = Selection::tests(&self.using).within(limit);
        let report = workshop.run_tests(&task.context.tests, &[&handed.tree, &hollow], &selection)?;
        Ok(report.all_passed(&self.using).is_ok())
    }
}

/// The task of doing this, if execution shows that it can be done.
fn task(build: &Build, record: &BugRecord, operation: Operation) -> Result<Task, Rejection> {
    let after = operation.perform(&record.fixed, &record.tests.import_roots);
    // Tests as they shall be, over sources as they are.
    let mut before = after.clone();
    let is_test = |path: &str| record.tests.files.iter().any(|file| file == path);
    let sources: Vec<&str> = after.paths().filter(|path| is_source(path) && !is_test(path)).collect();
    for path in sources {
        match record.fixed.get(path) {
            Some(bytes) => before.insert(path, bytes),
            None => drop(before.remove(path)),
        }
    }
    let shown = operation::show(build, record, &operation, (&before, &after))?;
    let repair = Repair {
        buggy: draft::store(&build.workshop.blobs, &before)?,
        fixed: draft::store(&build.workshop.blobs, &after)?,
        fail_to_pass: shown.fail_to_pass,
        pass_to_pass: shown.pass_to_pass,
        processor_seconds: record.processor.map(|limit| limit.as_secs()),
    };
    let prompt = include_str!("prompt.md").replace("{operation}", &operation.in_words());
    // The agent sees the healthy tree with the tests that there are.
    let tree = draft::store(&build.workshop.blobs, &record.fixed)?;
    let hidden = Hidden { repair, operation, using: shown.using };
    Ok(draft::task(&Refactor, build, record, prompt, tree, &hidden))
}
