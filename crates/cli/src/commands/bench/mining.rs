//! How many mutations of a package are judged per second, as mining does it and by fresh processes.

use std::sync::Arc;

use basis_gym::blobs::Blobs;
use basis_gym::factory::{Crew, Ledger, Pace, pace};
use basis_gym::sources;

use super::Figure;
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

pub(super) fn run(package: &str, mutants: usize, fresh: usize, context: &Context<'_>) -> Result<(), Failure> {
    let settings = &context.settings;
    let downloads = machine::downloads(settings)?;
    let opened = sources::open(package, None, &machine::toolchains(settings)?, &downloads).kind(Kind::Input)?;
    let blobs = Blobs::open(machine::cache(settings).join("bench").join("blobs")).kind(Kind::Machine)?;
    let workshop = machine::workshop(settings, Arc::new(blobs))?;
    let (workers, ledger) = (machine::workers(settings), Ledger::default());
    let crew = Crew { workshop: &workshop, workers, stop: &context.stop, ledger: &ledger, texts: None };
    let made = pace(&crew, &opened.project, settings.run.seed, mutants, fresh)
        .map_err(|rejection| Failure::new(Kind::Input, rejection.detail))?;
    context.check_stop()?;
    print(&made, context);
    Ok(())
}

fn print(made: &Pace, context: &Context<'_>) {
    if context.printer.is_json() {
        for judged in &made.judged {
            let edit = &judged.mutation;
            context.printer.json(&serde_json::json!({
                "path": edit.path, "start": edit.start, "end": edit.end, "before": edit.before, "after": edit.after,
                "operator": edit.operator, "line": edit.line, "code": judged.code, "noticed": judged.is_noticed,
            }));
        }
    }
    let count = made.judged.len() as f64;
    let recorded = made.judged.iter().filter(|it| it.code == "recorded").count() as f64;
    let noticed = made.judged.iter().filter(|it| it.is_noticed).count() as f64;
    let both = made.running.as_secs_f64() + made.recording.as_secs_f64();
    let figure = |name, value, unit, base| Figure { name, value, unit, base }.print(context);
    figure("mutations", count, "", None);
    figure("noticed by a test", noticed, "", None);
    let plain = made.fresh.filter(|it| it.judged > 0).map(|it| it.judged as f64 / it.wall.as_secs_f64());
    let base = plain.map(|rate| (rate, "fresh pytest"));
    figure("mutations judged", count / made.running.as_secs_f64(), "per second", base);
    figure("bug records", recorded / both, "per second", None);
    if let (Some(rate), Some(fresh)) = (plain, made.fresh) {
        figure("mutations judged by fresh processes of pytest", rate, "per second", None);
        figure("of which they say the same", fresh.agreed as f64, "", Some((fresh.judged as f64, "those")));
    }
}
