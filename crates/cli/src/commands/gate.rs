//! `basis gate`: judges the reference and the empty submission of every task of a pack again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use basis_gym::gate::{self, Evidence};
use basis_gym::pack::Pack;
use basis_gym::parallel;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::table::Table;

/// Check that in every task of a pack the reference scores full and nothing scores nothing
///
/// Every task that fails is listed with its reason; then the exit code is 6.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the pack
    pack: PathBuf,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let pack = Pack::open(&arguments.pack).kind(Kind::Input)?;
    let workshop = machine::workshop(&context.settings, pack.blobs.clone())?;
    let progress = context.printer.progress("gates", pack.tasks.len() as u64);
    let evidence = parallel::map(&pack.tasks, machine::workers(&context.settings), &context.stop, &|task| {
        let row = gate::check(&workshop, task);
        progress.advance(1);
        row
    });
    drop(progress);
    context.check_stop()?;
    report(context, &evidence)
}

fn report(context: &Context<'_>, evidence: &[Evidence]) -> Result<(), Failure> {
    let failed: Vec<&Evidence> = evidence.iter().filter(|row| !row.passed).collect();
    if context.printer.is_json() {
        evidence.iter().for_each(|row| context.printer.json(row));
    } else {
        context.printer.data(table(evidence).render());
        for row in &failed {
            context.printer.data(format_args!("{} {}: {}", row.skill, row.task, row.reason));
        }
    }
    match failed.len() {
        0 => Ok(()),
        count => Err(Failure::new(Kind::Criterion, format!("{count} of {} tasks fail their gates", evidence.len()))),
    }
}

fn table(evidence: &[Evidence]) -> Table {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for row in evidence {
        let count = counts.entry(&row.skill).or_default();
        count.0 += 1;
        count.1 += usize::from(row.passed);
    }
    let mut table = Table::new(&["skill", "#tasks", "#passed"]);
    for (skill, (tasks, passed)) in counts {
        table.row([skill.to_owned(), tasks.to_string(), passed.to_string()]);
    }
    table
}
