//! From a healthy project, a history or releases to gated tasks: baseline, mutations, commits or pairs of releases, bug records, builders, gates. Every rejection
//! is counted.
//!
//! Real packages are [`mine`]d with many things at once. Generated ones are so small that each is [`make`]d in sequence, many
//! packages beside each other. Both take the same steps.

mod attempts;
mod funnel;
mod held;
mod history;
mod ledger;
mod mine;
mod pace;
mod pairs;
mod releases;
mod sequence;
mod steps;

pub use attempts::review_attempts;
pub use funnel::{Funnel, Passage, Stage};
pub use history::of_commit;
pub use ledger::{Ledger, LedgerError};
pub use mine::{Crew, Progress, Quarry, mine};
pub use pace::{Fresh, Judged, Pace, pace};
pub use sequence::make;

use crate::gate::{self, Evidence};
use crate::record::BugRecord;
use crate::task::Task;

/// How tasks are made.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Names of the skills to make tasks of.
    pub skills: Vec<String>,
    /// Bug records per project at most.
    pub records: usize,
    /// Assistant turns per task at most.
    pub max_turns: u32,
    /// Buggy variants per `testgen` task at most.
    pub max_variants: usize,
    /// Whether tasks pass the gates first. Only what is imitated and never graded may do without.
    pub gated: bool,
    /// Source of every choice.
    pub seed: u64,
}

/// What came out of one project.
#[derive(Debug, Default)]
pub struct Yield {
    /// Tasks that passed their gates.
    pub tasks: Vec<Task>,
    /// The evidence of all gates, passed or not.
    pub evidence: Vec<Evidence>,
    /// How many candidates each stage let through, and why it held back the others.
    pub funnel: Funnel,
    /// One line for each candidate commit, or each repair of a pair of releases, that was held back.
    pub notes: Vec<String>,
}

impl Yield {
    /// Counts a mutation that was tried, and gives the bug record that it made.
    fn tried(&mut self, outcome: Result<BugRecord, String>) -> Option<BugRecord> {
        self.funnel.count(Stage::Mutation, outcome.as_ref().map(drop).map_err(String::as_str));
        outcome.ok()
    }

    /// Leaves out pairs of `review` whose labels show in what the changes look like; their evidence says so.
    pub fn leave_out_telling(&mut self) {
        let tasks: Vec<&Task> = self.tasks.iter().collect();
        let Some((pairs, objection)) = gate::telling_pairs(&tasks) else { return };
        let (out, kept) = std::mem::take(&mut self.tasks).into_iter().partition(|task| pairs.contains(&task.pair));
        self.tasks = kept;
        let out: Vec<Task> = out;
        for task in &out {
            self.funnel.take_back(Stage::Skill(task.skill.clone()), &objection.code);
            for row in self.evidence.iter_mut().filter(|row| row.task == task.id) {
                row.passed = false;
                row.reason = format!("{}: {}", objection.code, objection.detail);
            }
        }
    }

    /// Adds what another project gave.
    pub fn merge(&mut self, other: Yield) {
        self.tasks.extend(other.tasks);
        self.evidence.extend(other.evidence);
        self.notes.extend(other.notes);
        self.funnel.merge(other.funnel);
    }
}
