//! Refactoring: a function gets another name or another home, and everything else does what it did. A composite kind, for evaluation only,
//! in Python.
//!
//! Tests that use the function as it shall be decide about behaviour; the syntax of what is handed in decides whether the work was done
//! rather than hidden behind an alias, a copy or a wrapper.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::repair::{self, Repair};
use crate::grade::verdict::{Table, Verdict, nothing};
use crate::languages::{Language, is_source};
use crate::record::BugRecord;
use crate::task::Task;

mod operation;
mod predicates;
#[cfg(test)]
mod tests;

use operation::Operation;

/// The composite kind.
pub struct Refactor;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// The tree before and after, both with the tests as they shall be.
    repair: Repair,
    operation: Operation,
}

impl Skill for Refactor {
    fn name(&self) -> &'static str {
        "refactor"
    }

    fn grader(&self) -> &'static str {
        "refactor/1"
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
        let operation = operation::choose(record, rng)?;
        let after = operation.perform(&record.fixed);
        // Tests as they shall be, over sources as they are.
        let mut before = after.clone();
        let is_test = |path: &str| record.tests.files.iter().any(|file| file == path);
        let sources: Vec<&str> = record.fixed.paths().filter(|path| is_source(path) && !is_test(path)).collect();
        sources.iter().for_each(|path| before.insert(*path, record.fixed.get(path).unwrap_or_default()));
        let (fail_to_pass, pass_to_pass) = operation::split(build, record, &before, &after)?;
        let repair = Repair {
            buggy: draft::store(&build.workshop.blobs, &before)?,
            fixed: draft::store(&build.workshop.blobs, &after)?,
            fail_to_pass,
            pass_to_pass,
            processor_seconds: record.processor.map(|limit| limit.as_secs()),
        };
        let prompt = include_str!("prompt.md").replace("{operation}", &operation.in_words());
        // The agent sees the healthy tree with the tests that there are.
        let shown = draft::store(&build.workshop.blobs, &record.fixed)?;
        Ok(vec![draft::task(self, build, record, prompt, shown, &Hidden { repair, operation })])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        let read = |id| workshop.blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
        let (before, after) = (read(&hidden.repair.buggy)?, read(&hidden.repair.fixed)?);
        if let Some(detail) = predicates::broken(&hidden.operation, &before, &after, submission, &task.context.tests) {
            return Ok(nothing("structure", detail, Table::new()));
        }
        repair::grade(workshop, task, &hidden.repair, submission)
    }

    fn reference(&self, workshop: &Workshop, task: &Task) -> Result<Submission, String> {
        draft::hidden::<Hidden>(task)?.repair.reference(workshop)
    }

    fn teacher(&self, _: &Workshop, _: &Task, _: f64, _: ChaCha8Rng) -> Result<Teacher, String> {
        Err("nobody teaches how to refactor".to_owned())
    }
}
