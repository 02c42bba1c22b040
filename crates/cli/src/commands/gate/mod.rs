//! `basis gate`: puts every task of a pack before the gates again.

mod findings;
mod measured;

use std::path::PathBuf;
use std::sync::Arc;

use basis_gym::attacks::battery::{self, Blow};
use basis_gym::gate::{self, Depth, Examination};
use basis_gym::grade::Workshop;
use basis_gym::pack::Pack;
use basis_gym::parallel;
use basis_gym::task::Task;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use findings::Findings;

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
    /// Instead of asking anything, keep beside the pack how often a run of `basis eval` solved each task
    #[arg(long, value_name = "RUN", conflicts_with_all = ["strict", "attacks", "quarantine"])]
    measured: Option<String>,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    if let Some(run) = &arguments.measured {
        return measured::run(&arguments.pack, run, context);
    }
    let pack = Pack::open_whole(&arguments.pack).kind(Kind::Input)?;
    let workshop = machine::workshop(&context.settings, pack.blobs.clone())?;
    let mut findings = Findings::default();
    if arguments.strict {
        strict(context, &pack, &workshop, &mut findings)?;
    } else if !arguments.attacks {
        for evidence in each(context, &pack, "gates", &|task| gate::check(&workshop, task))? {
            findings.row(&evidence);
            if !evidence.passed {
                findings.fail(&evidence.skill, &evidence.task, evidence.reason);
            }
        }
    }
    if arguments.attacks {
        attacks(context, &pack, &workshop, &mut findings)?;
    }
    findings.print(context, &pack);
    findings.conclude(context, &pack, arguments.quarantine)
}

/// Does something with every task, many at once.
fn each<T: Send>(
    context: &Context<'_>,
    pack: &Pack,
    title: &str,
    work: &(dyn Fn(&Arc<Task>) -> T + Sync),
) -> Result<Vec<T>, Failure> {
    let progress = context.printer.progress(title, pack.tasks.len() as u64);
    let rows = parallel::map(&pack.tasks, machine::workers(&context.settings), &context.stop, &|task| {
        let row = work(task);
        progress.advance(1);
        row
    });
    drop(progress);
    context.check_stop().map(|()| rows)
}

/// Everything that can be asked of one task, then what can only be asked of several.
fn strict(context: &Context<'_>, pack: &Pack, workshop: &Workshop, findings: &mut Findings) -> Result<(), Failure> {
    let depth = Depth { attacks: false, ..Depth::default() };
    let examinations: Vec<Examination> = each(context, pack, "gates", &|task| gate::examine(workshop, task, depth))?;
    for examination in &examinations {
        findings.row(examination);
        if let Some(objection) = &examination.objection {
            findings.object(&examination.skill, &examination.task, &examination.gate, objection);
        }
    }
    let tasks: Vec<&Task> = pack.tasks.iter().map(Arc::as_ref).collect();
    let among = gate::among(&tasks).into_iter().map(|(task, gate, objection)| (&task.skill, &task.id, gate, objection));
    let trivial = gate::trivial_beyond_share(&examinations).into_iter();
    let trivial = trivial.map(|(examination, objection)| (&examination.skill, &examination.task, "G8", objection));
    for (skill, task, gate, objection) in among.chain(trivial) {
        findings.row(&serde_json::json!({ "task": task, "gate": gate, "objection": objection }));
        findings.object(skill, task, gate, &objection);
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
    Ok(())
}

fn attacks(context: &Context<'_>, pack: &Pack, workshop: &Workshop, findings: &mut Findings) -> Result<(), Failure> {
    let blows: Vec<Blow> =
        each(context, pack, "attacks", &|task| battery::strike(workshop, task))?.into_iter().flatten().collect();
    blows.iter().for_each(|blow| findings.row(blow));
    for blow in battery::rewarded(&blows) {
        let reason = format!("G7 attack `{}` is rewarded: {:?}", blow.attack, blow.grade);
        findings.fail(&blow.skill, &blow.task, reason);
    }
    context.printer.say(format_args!("{} attacks were tried", blows.len()));
    Ok(())
}
