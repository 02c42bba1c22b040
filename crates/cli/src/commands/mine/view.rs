//! What people see while a package is mined: bug records first, from commits, from releases and by mutation, then tasks.

use basis_gym::factory::Progress as Mining;

use crate::context::Context;
use crate::progress::Progress;

/// One line of progress for each of the two parts.
pub(super) struct MiningView<'a> {
    context: &'a Context<'a>,
    records: Progress,
    tasks: Option<Progress>,
    /// Bug records so far, from commits, from releases and by mutation.
    seen: [usize; 3],
}

impl<'a> MiningView<'a> {
    pub(super) fn new(context: &'a Context<'a>, wanted: usize) -> Self {
        let records = context.printer.progress("bug records", wanted as u64);
        Self { context, records, tasks: None, seen: [0; 3] }
    }

    pub(super) fn show(&mut self, mining: Mining) {
        match mining {
            Mining::Commits(found, seen) => self.found(0, found, &format!("of {seen} commits")),
            Mining::Releases(found, seen) => self.found(1, found, &format!("of {seen} pairs of releases")),
            Mining::Begun => self.records.note("running the healthy tests".to_owned()),
            Mining::Healthy => self.records.note("the healthy tests pass".to_owned()),
            Mining::Records(found, tried) => self.found(2, found, &format!("of {tried} mutations")),
            Mining::Tasks { total, gated, .. } => {
                let open = || self.context.printer.progress("records and skills", total as u64);
                let tasks = self.tasks.get_or_insert_with(open);
                tasks.note(format!("{gated} tasks"));
                tasks.advance(1);
            }
        }
    }

    /// Bug records that one way has found by now.
    fn found(&mut self, way: usize, found: usize, note: &str) {
        self.records.note(note.to_owned());
        self.records.advance((found - self.seen[way]) as u64);
        self.seen[way] = found;
    }
}
