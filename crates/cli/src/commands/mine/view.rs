//! What people see while a package is mined: bug records first, from commits and by mutation, then tasks.

use basis_gym::factory::Progress as Mining;

use crate::context::Context;
use crate::progress::Progress;

/// One line of progress for each of the two parts.
pub(super) struct MiningView<'a> {
    context: &'a Context<'a>,
    records: Progress,
    tasks: Option<Progress>,
    /// Bug records so far, from commits and by mutation.
    seen: (usize, usize),
}

impl<'a> MiningView<'a> {
    pub(super) fn new(context: &'a Context<'a>, wanted: usize) -> Self {
        let records = context.printer.progress("bug records", wanted as u64);
        Self { context, records, tasks: None, seen: (0, 0) }
    }

    pub(super) fn show(&mut self, mining: Mining) {
        match mining {
            Mining::Commits(found, seen) => {
                self.records.note(format!("of {seen} commits"));
                self.records.advance((found - self.seen.0) as u64);
                self.seen.0 = found;
            }
            Mining::Begun => self.records.note("running the healthy tests".to_owned()),
            Mining::Healthy => self.records.note("the healthy tests pass".to_owned()),
            Mining::Records(found, tried) => {
                self.records.note(format!("of {tried} mutations"));
                self.records.advance((found - self.seen.1) as u64);
                self.seen.1 = found;
            }
            Mining::Tasks { total, gated, .. } => {
                let open = || self.context.printer.progress("records and skills", total as u64);
                let tasks = self.tasks.get_or_insert_with(open);
                tasks.note(format!("{gated} tasks"));
                tasks.advance(1);
            }
        }
    }
}
