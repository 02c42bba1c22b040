//! The same in Rust and JavaScript, apart, because the risks there are others: environments, builds, runners.

use rand_chacha::ChaCha8Rng;

use super::super::{Build, Rejection, Skill, Teacher};
use super::Bugfix;
use crate::episode::Submission;
use crate::grade::Workshop;
use crate::grade::verdict::Verdict;
use crate::languages::Language;
use crate::record::BugRecord;
use crate::task::Task;

/// The composite kind.
pub struct BugfixMulti;

impl Skill for BugfixMulti {
    fn name(&self) -> &'static str {
        "bugfix_multi"
    }

    fn grader(&self) -> &'static str {
        "bugfix_multi/1"
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn suits_generated(&self) -> bool {
        false
    }

    fn takes_several_files(&self) -> bool {
        true
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.name() != "python"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        super::build(self, build, record, rng)
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        Bugfix.grade(workshop, task, submission)
    }

    fn reference(&self, workshop: &Workshop, task: &Task) -> Result<Submission, String> {
        Bugfix.reference(workshop, task)
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        Bugfix.teacher(workshop, task, diligence, rng)
    }
}
