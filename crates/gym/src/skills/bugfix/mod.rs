//! Bug fixing: issue and repository in, a changed tree out. A composite of the atomic skills, for evaluation only: no
//! reward of this kind is ever trained on.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::repair::{self, Repair};
use crate::grade::verdict::Verdict;
use crate::languages::Language;
use crate::record::BugRecord;
use crate::task::Task;

mod multi;
mod teacher;
#[cfg(test)]
mod tests;

pub use multi::BugfixMulti;

/// The composite kind, in Python.
pub struct Bugfix;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    pub(crate) repair: Repair,
    /// The failing call and what it should give, for the teacher's check.
    call: String,
    expected: String,
}

impl Skill for Bugfix {
    fn name(&self) -> &'static str {
        "bugfix"
    }

    fn grader(&self) -> &'static str {
        "bugfix/2"
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn takes_several_files(&self) -> bool {
        true
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.name() == "python"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        self::build(self, build, record, rng)
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        repair::grade(workshop, task, &hidden.repair, submission)
    }

    fn reference(&self, workshop: &Workshop, task: &Task) -> Result<Submission, String> {
        draft::hidden::<Hidden>(task)?.repair.reference(workshop)
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(workshop, task, &draft::hidden(task)?, diligence, rng)
    }
}

/// The task of a record, for either kind.
fn build(kind: &dyn Skill, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
    let issue = draft::complaint(record, rng)?;
    let repair = Repair::of(build.workshop, record)?;
    let shown = draft::store(&build.workshop.blobs, &draft::shown(record, &record.buggy, &record.fail_to_pass))?;
    let prompt = include_str!("prompt.md").replace("{issue}", &issue.text);
    let hidden = Hidden { repair, call: issue.call, expected: issue.expected };
    Ok(vec![draft::task(kind, build, record, prompt, shown, &hidden)])
}
