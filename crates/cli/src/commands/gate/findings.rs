//! What the gates said about the tasks of a pack: rows for programs, a table and reasons for people.

use std::collections::BTreeMap;

use basis_gym::gate::Objection;
use basis_gym::pack::{Pack, Quarantined};
use serde::Serialize;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::table::Table;

/// Everything that was found out.
#[derive(Default)]
pub(super) struct Findings {
    rows: Vec<serde_json::Value>,
    /// Reasons by skill and task.
    failed: BTreeMap<(String, String), Vec<String>>,
}

impl Findings {
    /// Keeps a row of evidence.
    pub(super) fn row(&mut self, row: &impl Serialize) {
        self.rows.push(serde_json::to_value(row).expect("evidence has only string keys"));
    }

    /// Says why a task fails.
    pub(super) fn fail(&mut self, skill: &str, task: &str, reason: String) {
        self.failed.entry((skill.to_owned(), task.to_owned())).or_default().push(reason);
    }

    /// Says which gate objects to a task.
    pub(super) fn object(&mut self, skill: &str, task: &str, gate: &str, objection: &Objection) {
        self.fail(skill, task, format!("{gate} {}: {}", objection.code, objection.detail));
    }

    pub(super) fn print(&self, context: &Context<'_>, pack: &Pack) {
        if context.printer.is_json() {
            return self.rows.iter().for_each(|row| context.printer.json(row));
        }
        context.printer.data(self.table(pack).render());
        for ((skill, task), reasons) in &self.failed {
            reasons.iter().for_each(|reason| context.printer.data(format_args!("{skill} {task}: {reason}")));
        }
    }

    /// Puts what failed into quarantine, or fails because of it.
    pub(super) fn conclude(&self, context: &Context<'_>, pack: &Pack, quarantine: bool) -> Result<(), Failure> {
        let (count, all) = (self.failed.len(), pack.tasks.len());
        if quarantine {
            let row = |((_, task), reasons): (&(String, String), &Vec<String>)| Quarantined {
                task: task.clone(),
                reason: reasons.join("; "),
            };
            Pack::quarantine(&pack.path, &self.failed.iter().map(row).collect::<Vec<_>>()).kind(Kind::Machine)?;
            context.printer.say(format_args!("{count} of {all} tasks are in quarantine"));
            return Ok(());
        }
        match count {
            0 => Ok(()),
            count => Err(Failure::new(Kind::Criterion, format!("{count} of {all} tasks fail their gates"))),
        }
    }

    fn table(&self, pack: &Pack) -> Table {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for task in &pack.tasks {
            let count = counts.entry(&task.skill).or_default();
            count.0 += 1;
            count.1 += usize::from(!self.failed.contains_key(&(task.skill.clone(), task.id.clone())));
        }
        let mut table = Table::new(&["skill", "#tasks", "#passed"]);
        for (skill, (tasks, passed)) in counts {
            table.row([skill.to_owned(), tasks.to_string(), passed.to_string()]);
        }
        table
    }
}
