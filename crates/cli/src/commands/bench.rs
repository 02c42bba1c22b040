//! `basis bench`: how fast this machine is at what basis does most.

use std::sync::Arc;
use std::time::{Duration, Instant};

use basis_gym::rollout::{Job, dispatch, seed};
use basis_train::engines::local::{self, Config};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::packs::{self, Use};
use crate::table::Table;
use crate::{machine, policies};

/// Measure sandboxes, episodes and the engine on this machine
///
/// Sandboxes are compared with a plain process (and with bubblewrap, if it is installed) in the same run. Episodes are
/// those of the scripted teacher on generated packages, graded: everything but a model.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rounds of the sandbox cases
    #[arg(long, default_value_t = 200, value_name = "N")]
    rounds: usize,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    sandboxes(arguments.rounds, context)?;
    context.check_stop()?;
    episodes(context)?;
    context.check_stop()?;
    engine(context)
}

fn sandboxes(rounds: usize, context: &Context<'_>) -> Result<(), Failure> {
    let rows = basis_sandbox::bench::run(rounds).kind(Kind::Machine)?;
    if context.printer.is_json() {
        rows.iter().for_each(|row| context.printer.json(row));
        return Ok(());
    }
    let mut table = Table::new(&["/bin/true in", "#p10 ms", "#ratio", "#median ms", "#ratio"]);
    let milliseconds = |time: std::time::Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    for row in rows {
        let ratio = |value: f64| format!("{value:.1}");
        table.row([
            row.name,
            milliseconds(row.p10),
            ratio(row.p10_ratio),
            milliseconds(row.median),
            ratio(row.median_ratio),
        ]);
    }
    context.printer.data(table.render());
    Ok(())
}

fn episodes(context: &Context<'_>) -> Result<(), Failure> {
    let pack = packs::open(context, Use::HeldOut, BENCH_TASKS)?;
    let workshop = Arc::new(packs::workshop(context, &[&pack])?);
    let policy = policies::teacher(workshop.clone(), context.settings.teacher.diligence);
    let job = |task: &Arc<basis_gym::task::Task>, sample| Job {
        task: task.clone(),
        sample,
        seed: seed(0, 0, &task.id, sample),
    };
    let jobs: Vec<Job> = pack.tasks.iter().flat_map(|task| (0..2).map(move |sample| job(task, sample))).collect();
    let count = jobs.len();
    let start = Instant::now();
    dispatch(jobs, &policy, workshop.as_ref(), machine::workers(&context.settings), &mut |_| (), &context.stop);
    let rate = count as f64 / start.elapsed().as_secs_f64();
    report(context, "episodes, acted and graded", rate, "1/s");
    Ok(())
}

const BENCH_TASKS: usize = 20;

fn engine(context: &Context<'_>) -> Result<(), Failure> {
    let (threads, time) = (machine::cores(), Duration::from_secs(3));
    for (name, config) in [("4.1 M parameters", local::bench::m3()), ("default model", Config::small(1024))] {
        let rate = local::bench::training(&config, threads, 16, 512, time).kind(Kind::Unexpected)?;
        report(context, &format!("training, {name}, 16 x 512"), rate.per_second, "tokens/s");
        report(context, &format!("training, {name}, 16 x 512"), rate.per_cpu_second, "tokens per CPU second");
    }
    for sessions in [1, 16, 64] {
        let rate = local::bench::decoding(&Config::small(1024), threads, sessions, 256, 128).kind(Kind::Unexpected)?;
        report(context, &format!("decoding, default model, {sessions} at once"), rate.per_second, "tokens/s");
    }
    Ok(())
}

fn report(context: &Context<'_>, name: &str, rate: f64, unit: &str) {
    if context.printer.is_json() {
        context.printer.json(&serde_json::json!({ "name": name, "rate": rate, "unit": unit }));
    } else {
        context.printer.data(format_args!("{name}: {rate:.0} {unit}"));
    }
}
