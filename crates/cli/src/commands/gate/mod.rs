//! `basis gate`: puts every task of a pack before the gates again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use basis_gym::attacks::battery::{self, Blow};
use basis_gym::gate::{self, Depth, Evidence, Examination, Objection};
use basis_gym::pack::{Pack, Quarantined};
use basis_gym::parallel;
use basis_gym::task::Task;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::table::Table;

/// Check that in every task of a pack the reference scores full and nothing scores nothing
///
/// Every task that fails is listed with its reason; then the exit code is 6, unless `--quarantine` deals with it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the pack
    pack: PathBuf,
    /// Ask everything: leaks, flaky judgments, time, near misses, duplicates
    #[arg(long)]
    strict: bool,
    /// Try every known attack on every task, and list what is rewarded
    #[arg(long)]
    attacks: bool,
    /// Put the tasks that fail into quarantine, where nothing uses them, and take those that pass out of it
    #[arg(long)]
    quarantine: bool,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let pack = Pack::open_whole(&arguments.pack).kind(Kind::Input)?;
    let workshop = machine::workshop(&context.settings, pack.blobs.clone())?;
    let map = |title: &str, work: &(dyn Fn(&Arc<Task>) -> Row + Sync)| {
        let progress = context.printer.progress(title, pack.tasks.len() as u64);
        let rows = parallel::map(&pack.tasks, machine::workers(&context.settings), &context.stop, &|task| {
            let row = work(task);
            progress.advance(1);
            row
        });
        drop(progress);
        context.check_stop().map(|()| rows)
    };
    let mut rows = match (arguments.strict, arguments.attacks) {
        (true, _) => map("gates", &|task| {
            Row::Strict(gate::examine(&workshop, task, Depth { attacks: false, ..Depth::default() }))
        })?,
        (false, false) => map("gates", &|task| Row::Quick(gate::check(&workshop, task)))?,
        (false, true) => Vec::new(),
    };
    if arguments.strict {
        let tasks: Vec<&Task> = pack.tasks.iter().map(Arc::as_ref).collect();
        rows.extend(
            gate::among(&tasks)
                .into_iter()
                .map(|(task, gate, objection)| Row::Among(Box::new(task.clone()), gate, objection)),
        );
        let examinations: Vec<Examination> = rows
            .iter()
            .filter_map(|row| if let Row::Strict(examination) = row { Some(examination.clone()) } else { None })
            .collect();
        for (examination, objection) in gate::trivial_beyond_share(&examinations) {
            let task = pack.tasks.iter().find(|task| task.id == examination.task);
            rows.extend(task.map(|task| Row::Among(Box::new((**task).clone()), "G8", objection)));
        }
        if let Some(found) = gate::appearance(&tasks) {
            context.printer.say(format_args!(
                "what changes look like tells the labels of {} review pairs with an AUC of {:.2}; at most {:.2}",
                found.pairs, found.auc, found.limit
            ));
        }
        context.printer.say(format_args!(
            "judgments that may still be flaky: at most {:.0} % (95 %)",
            100.0 * Depth::default().flake_bound()
        ));
    }
    if arguments.attacks {
        rows.extend(map("attacks", &|task| Row::Attacked(battery::strike(&workshop, task)))?);
    }
    report(context, &pack, &rows, arguments.quarantine)
}

/// What was found out about a task.
enum Row {
    Quick(Evidence),
    Strict(Examination),
    Among(Box<Task>, &'static str, Objection),
    Attacked(Vec<Blow>),
}

fn report(context: &Context<'_>, pack: &Pack, rows: &[Row], quarantine: bool) -> Result<(), Failure> {
    let blows: Vec<Blow> = rows
        .iter()
        .flat_map(|row| if let Row::Attacked(blows) = row { blows.as_slice() } else { &[] })
        .cloned()
        .collect();
    let mut failed: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut fail = |skill: &str, task: &str, reason: String| {
        failed.entry((skill.to_owned(), task.to_owned())).or_default().push(reason);
    };
    for row in rows {
        match row {
            Row::Quick(row) if !row.passed => fail(&row.skill, &row.task, row.reason.clone()),
            Row::Strict(row) => {
                if let Some(objection) = &row.objection {
                    fail(&row.skill, &row.task, format!("{} {}: {}", row.gate, objection.code, objection.detail));
                }
            }
            Row::Among(task, gate, objection) => {
                fail(&task.skill, &task.id, format!("{gate} {}: {}", objection.code, objection.detail))
            }
            Row::Quick(_) | Row::Attacked(_) => {}
        }
    }
    for blow in battery::rewarded(&blows) {
        fail(&blow.skill, &blow.task, format!("G7 attack `{}` is rewarded: {:?}", blow.attack, blow.grade));
    }
    if context.printer.is_json() {
        rows.iter().for_each(|row| match row {
            Row::Quick(row) => context.printer.json(row),
            Row::Strict(row) => context.printer.json(row),
            Row::Among(task, gate, objection) => {
                context.printer.json(&serde_json::json!({ "task": task.id, "gate": gate, "objection": objection }));
            }
            Row::Attacked(blows) => blows.iter().for_each(|blow| context.printer.json(blow)),
        });
    } else {
        context.printer.data(table(pack, &failed).render());
        for ((skill, task), reasons) in &failed {
            reasons.iter().for_each(|reason| context.printer.data(format_args!("{skill} {task}: {reason}")));
        }
        if !blows.is_empty() {
            context.printer.say(format_args!("{} attacks were tried", blows.len()));
        }
    }
    if quarantine {
        let row = |((_, task), reasons): (&(String, String), &Vec<String>)| Quarantined {
            task: task.clone(),
            reason: reasons.join("; "),
        };
        Pack::quarantine(&pack.path, &failed.iter().map(row).collect::<Vec<_>>()).kind(Kind::Machine)?;
        context.printer.say(format_args!("{} of {} tasks are in quarantine", failed.len(), pack.tasks.len()));
        return Ok(());
    }
    match failed.len() {
        0 => Ok(()),
        count => Err(Failure::new(Kind::Criterion, format!("{count} of {} tasks fail their gates", pack.tasks.len()))),
    }
}

fn table(pack: &Pack, failed: &BTreeMap<(String, String), Vec<String>>) -> Table {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for task in &pack.tasks {
        let count = counts.entry(&task.skill).or_default();
        count.0 += 1;
        count.1 += usize::from(!failed.contains_key(&(task.skill.clone(), task.id.clone())));
    }
    let mut table = Table::new(&["skill", "#tasks", "#passed"]);
    for (skill, (tasks, passed)) in counts {
        table.row([skill.to_owned(), tasks.to_string(), passed.to_string()]);
    }
    table
}
