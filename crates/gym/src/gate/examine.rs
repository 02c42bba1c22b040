//! One task before all gates, in the order of their cost; the first objection ends it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::difficulty::{self, Difficulty};
use super::{labels, leaks, power, runs, shape};
use crate::episode::{Grade, Submission};
use crate::grade::Workshop;
use crate::rollout::World;
use crate::task::Task;

/// One gate for a single task.
pub struct Gate {
    /// Its number in the specification of tasks.
    pub code: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// Asks it.
    pub check: fn(&mut Subject<'_>) -> Result<(), Objection>,
}

/// All gates for a single task, cheap ones first.
pub static GATES: &[Gate] = &[
    Gate { code: "G0", question: "is it whole, and of a kind that this program grades?", check: shape::whole },
    Gate { code: "G0", question: "do its hidden facts fit together?", check: shape::consistent },
    Gate { code: "G9", question: "does nothing that the agent sees give the solution away?", check: leaks::check },
    Gate { code: "G1", question: "does its suite run here, without network?", check: runs::hermetic },
    Gate { code: "G2", question: "does nothing score nothing?", check: runs::nothing },
    Gate { code: "G3", question: "does the reference score full?", check: runs::reference },
    Gate { code: "G4", question: "is it judged alike every time?", check: runs::repeated },
    Gate { code: "G5", question: "is it judged well within the limits?", check: runs::in_time },
    Gate { code: "G6", question: "are near misses rejected?", check: power::check },
    Gate { code: "G6", question: "do probes say what the label of a change says?", check: labels::check },
    Gate { code: "G12", question: "how hard is it, and for whom trivial?", check: difficulty::check },
    Gate { code: "G7", question: "is no attack rewarded?", check: runs::attacks },
];

/// Why a gate does not let a task pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// A short code, for counting.
    pub code: String,
    /// One line for people.
    pub detail: String,
}

impl Objection {
    pub(super) fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into() }
    }
}

/// How often things are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Judgments of the reference. So many agreeing ones bound the share of flaky judgments by `1 - 0.05^(1/n)` (95 %).
    pub reference: usize,
    /// Judgments of submissions that do nothing.
    pub nothing: usize,
    /// Whether attacks are tried.
    pub attacks: bool,
}

impl Default for Depth {
    fn default() -> Self {
        Self { reference: 5, nothing: 3, attacks: true }
    }
}

impl Depth {
    /// The share of flaky judgments that so many agreeing ones leave possible, with 95 % confidence.
    pub fn flake_bound(&self) -> f64 {
        1.0 - 0.05_f64.powf(1.0 / self.reference.max(1) as f64)
    }
}

/// A task before the gates, and what was run for it.
pub struct Subject<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) task: &'a Task,
    pub(super) depth: Depth,
    pub(super) runs: Vec<Run>,
    pub(super) difficulty: Difficulty,
}

impl Subject<'_> {
    /// Judges a submission and keeps the evidence.
    pub(super) fn judge(&mut self, submission: &str, content: &Submission) -> Grade {
        let start = Instant::now();
        let grade = self.workshop.grade(self.task, content);
        let milliseconds = start.elapsed().as_millis() as u64;
        self.runs.push(Run { submission: submission.to_owned(), milliseconds, grade: grade.clone() });
        grade
    }
}

/// One judgment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Who handed in.
    pub submission: String,
    /// Wall time.
    pub milliseconds: u64,
    /// The grade.
    pub grade: Grade,
}

/// What the gates said about one task, with the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The task.
    pub task: String,
    /// Its skill.
    pub skill: String,
    /// Name and version of the grader.
    pub grader: String,
    /// Hash of the interpreter and of how tests are run.
    pub environment: String,
    /// The gate that objected; empty when all were passed.
    pub gate: String,
    /// Its objection.
    pub objection: Option<Objection>,
    /// How hard it is; all zero when an earlier gate objected.
    pub difficulty: Difficulty,
    /// Every judgment that was made.
    pub runs: Vec<Run>,
    /// Hash of all the above.
    pub digest: String,
}

impl Examination {
    /// Whether every gate was passed.
    pub fn passed(&self) -> bool {
        self.objection.is_none()
    }

    fn sealed(mut self) -> Self {
        let bytes = serde_json::to_vec(&self).expect("an examination has only string keys");
        self.digest = blake3::hash(&bytes).to_hex()[..32].to_owned();
        self
    }
}

/// Puts a task before every gate, until one objects.
pub fn examine(workshop: &Workshop, task: &Task, depth: Depth) -> Examination {
    let mut subject = Subject { workshop, task, depth, runs: Vec::new(), difficulty: Difficulty::default() };
    let objection = GATES.iter().find_map(|gate| Some((gate.code, (gate.check)(&mut subject).err()?)));
    let setup = serde_json::to_vec(&task.context.tests).expect("a setup has only string keys");
    let version = workshop.version(&task.context.tests);
    let environment = blake3::Hasher::new().update(version.as_bytes()).update(&setup).finalize();
    Examination {
        task: task.id.clone(),
        skill: task.skill.clone(),
        grader: task.grader.clone(),
        environment: environment.to_hex()[..32].to_owned(),
        gate: objection.as_ref().map_or(String::new(), |(code, _)| (*code).to_owned()),
        objection: objection.map(|(_, objection)| objection),
        difficulty: subject.difficulty,
        runs: subject.runs,
        digest: String::new(),
    }
    .sealed()
}

/// Tasks that somebody solves who has not understood anything may make up this share of a pack.
const MOST_TRIVIAL: f64 = 0.1;

/// Trivial tasks beyond their share, in order, each with the objection to it.
pub fn trivial_beyond_share(examinations: &[Examination]) -> Vec<(&Examination, Objection)> {
    let allowed = (MOST_TRIVIAL * examinations.len() as f64) as usize;
    let trivial: Vec<&Examination> =
        examinations.iter().filter(|examination| !examination.difficulty.trivial.is_empty()).collect();
    let detail = |examination: &Examination| {
        let (who, count, all) = (&examination.difficulty.trivial, trivial.len(), examinations.len());
        format!("`{who}` is rewarded; {count} of {all} tasks are as easy, at most {allowed} may be")
    };
    trivial.iter().skip(allowed).map(|it| (*it, Objection::new("trivial", detail(it)))).collect()
}
