//! From a healthy project to gated tasks: baseline, mutations, bug records, builders, gates. Every rejection is kept.
//!
//! Real packages are [`mine`]d with many things at once. Generated ones are so small that each is [`make`]d in sequence, many
//! packages beside each other. Both take the same steps.

mod mine;
mod pairs;
mod sequence;
mod steps;

use std::collections::BTreeMap;

pub use mine::{Progress, mine};
pub use sequence::make;

use crate::gate::{self, Evidence};
use crate::record::BugRecord;
use crate::task::Task;
use crate::validate;

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
    /// How many candidates each stage saw, by stage and code: the funnel.
    pub funnel: BTreeMap<String, usize>,
}

impl Yield {
    fn count(&mut self, stage: &str) {
        *self.funnel.entry(stage.to_owned()).or_default() += 1;
    }

    /// Counts a mutation that was tried, and gives the bug record that it made.
    fn tried(&mut self, outcome: Result<BugRecord, validate::Rejection>) -> Option<BugRecord> {
        self.count("mutations tried");
        match &outcome {
            Ok(_) => self.count("bug records"),
            Err(rejection) => self.count(&format!("rejected mutation: {}", rejection.code())),
        }
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
            self.count(&format!("rejected {}: {}", task.skill, objection.code));
            if let Some(gated) = self.funnel.get_mut(&format!("gated {}", task.skill)) {
                *gated -= 1;
            }
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
        for (stage, count) in other.funnel {
            *self.funnel.entry(stage).or_default() += count;
        }
    }
}
