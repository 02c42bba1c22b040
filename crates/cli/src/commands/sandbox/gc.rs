//! `basis sandbox gc`: removes what dead controllers left.

use basis_sandbox::backends;

use crate::context::Context;
use crate::exit::Failure;
use crate::{machine, text};

/// Remove what is left of sandboxes whose controller is dead
///
/// Processes, control groups, containers and directories of the backend `container`, pods of the cluster that the settings name, and
/// half-written layers of the cache. What belongs to a living process is never touched.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let options = machine::options(&context.settings);
    let mut failed = 0;
    let mut removed = 0;
    for holding in super::holdings(context).into_iter().filter(|holding| holding.is_left) {
        match backends::collect(&holding, &options) {
            Ok(()) => {
                removed += 1;
                if context.printer.is_json() {
                    context.printer.json(&holding);
                } else {
                    context.printer.data(format_args!("removed {} of `{}`", what(&holding), holding.name));
                }
            }
            Err(error) => {
                failed += 1;
                context.printer.warn(format_args!("`{}`: {error}", holding.name));
            }
        }
    }
    for directory in machine::sweep_cache(&context.settings)? {
        removed += 1;
        if context.printer.is_json() {
            context.printer.json(&serde_json::json!({ "directory": directory }));
        } else {
            context.printer.data(format_args!("removed the half-written layer `{}`", directory.display()));
        }
    }
    if removed == 0 && failed == 0 {
        context.printer.say("nothing is left of dead controllers");
    }
    super::all_removed(failed)
}

fn what(holding: &basis_sandbox::Holding) -> String {
    let processes = format!("{} processes", holding.processes);
    let all: Vec<&str> =
        std::iter::once(processes.as_str()).chain(holding.remains.iter().map(String::as_str)).collect();
    text::sanitized(&all.join(", "))
}
