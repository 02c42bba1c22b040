//! One folder per skill: what the agent reads, how tasks are built, how a submission is graded, what the reference hands
//! in, and how an imperfect teacher goes about it. A skill never sees a model, another skill, or the agent loop.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::episode::{Observation, Reply, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::Verdict;
use crate::languages::Language;
use crate::record::BugRecord;
use crate::task::Task;

pub mod bugfix;
pub mod edit;
pub mod localize;
pub mod refactor;
pub mod repro;
pub mod review;
pub mod security;
pub mod testgen;
#[cfg(test)]
pub(crate) mod tests;

/// All skills and composite kinds.
pub static ALL: &[&dyn Skill] = &[
    &localize::Localize,
    &edit::Edit,
    &testgen::Testgen,
    &repro::Repro,
    &review::Review,
    &bugfix::Bugfix,
    &bugfix::BugfixMulti,
    &refactor::Refactor,
    &security::Security,
];

/// The skill with this name.
pub fn find(name: &str) -> Option<&'static dyn Skill> {
    ALL.iter().copied().find(|skill| skill.name() == name)
}

/// One skill or composite kind.
pub trait Skill: Sync {
    /// The name in tasks, settings and reports.
    fn name(&self) -> &'static str;

    /// Name and version of the grader; another version makes older verdicts void.
    fn grader(&self) -> &'static str;

    /// Whether it is for evaluation only and never trained on.
    fn is_composite(&self) -> bool {
        false
    }

    /// Whether tasks are also made from generated packages, which the embedded packs are.
    fn suits_generated(&self) -> bool {
        true
    }

    /// Whether a bug in several files can become a task.
    fn takes_several_files(&self) -> bool {
        false
    }

    /// Whether tasks can be made from packages in a language.
    fn speaks(&self, _language: &dyn Language) -> bool {
        true
    }

    /// The reward of a worthless submission.
    fn least_reward(&self) -> f64 {
        0.0
    }

    /// Makes tasks from a bug record; several when they belong together as a pair.
    ///
    /// # Errors
    /// Why this record gives no task of this skill.
    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection>;

    /// Judges a submission in fresh sandboxes.
    ///
    /// # Errors
    /// Only failures of infrastructure or of the task itself.
    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict;

    /// The submission that must earn full reward.
    ///
    /// # Errors
    /// When the hidden part of the task is damaged.
    fn reference(&self, workshop: &Workshop, task: &Task) -> Result<Submission, String>;

    /// An imperfect teacher for one episode: diligent (looks, runs, checks) with probability `diligence`, lazy otherwise.
    ///
    /// # Errors
    /// When the task is not of a form that the teacher knows; it knows generated packages.
    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String>;
}

/// Says the next turn, given what the calls of the last turn showed.
pub type Teacher = Box<dyn FnMut(&[Observation]) -> Reply + Send>;

/// What builders work with.
pub struct Build<'a> {
    /// Where code runs and trees are kept.
    pub workshop: &'a Workshop,
    /// Assistant turns at most, in each task.
    pub max_turns: u32,
    /// Buggy variants per `testgen` task at most; the paper uses 16.
    pub max_variants: usize,
}

/// Why something did not become a task.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejection {
    /// A short code for the funnel.
    pub code: String,
    /// One line for people.
    pub detail: String,
}

impl Rejection {
    /// A rejection from its code and detail.
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

/// The teacher of a task's skill, with its own randomness.
///
/// # Errors
/// When the task is not of a form that the teacher knows.
pub fn teach(workshop: &Workshop, task: &Task, diligence: f64, seed: u64) -> Result<Teacher, String> {
    let skill = find(&task.skill).ok_or_else(|| format!("unknown skill `{}`", task.skill))?;
    skill.teacher(workshop, task, diligence, ChaCha8Rng::seed_from_u64(seed))
}
