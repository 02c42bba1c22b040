//! `basis sandbox ls`: what each controller holds.

use basis_sandbox::Holding;

use crate::context::Context;
use crate::exit::Failure;
use crate::table::Table;
use crate::text;

/// List the processes that have sandboxes, and what dead ones left
///
/// Those of `namespace` on this machine; those of `container` in the engine that the settings name, or at a usual place; those of
/// `kubernetes` where the settings name an image for it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only what is left of dead ones
    #[arg(long)]
    left: bool,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let mut holdings = super::holdings(context);
    holdings.retain(|holding| holding.is_left || !arguments.left);
    if context.printer.is_json() {
        holdings.iter().for_each(|holding| context.printer.json(holding));
    } else if holdings.is_empty() {
        context.printer.say("no sandboxes");
    } else {
        context.printer.data(table(&holdings).render());
    }
    Ok(())
}

fn table(holdings: &[Holding]) -> Table {
    let mut table =
        Table::new(&["backend", "#controller", "state", "#sandboxes", "#processes", "#MiB", "command or remains"]);
    for holding in holdings {
        let state = if holding.is_left { "left" } else { "live" };
        let about = if holding.is_left { holding.remains.join(" ") } else { holding.command.clone() };
        table.row([
            holding.backend.to_owned(),
            if holding.controller == 0 { "-".to_owned() } else { holding.controller.to_string() },
            state.to_owned(),
            holding.sandboxes.to_string(),
            holding.processes.to_string(),
            (holding.memory_bytes >> 20).to_string(),
            text::line(&about, WIDTH),
        ]);
    }
    table
}

/// Characters of a command line that are shown.
const WIDTH: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_ones_show_their_command_and_dead_ones_what_remains() {
        let live = Holding {
            backend: "namespace",
            name: "basis-4026531836-4711-99-0".to_owned(),
            controller: 4711,
            command: "basis train --seed 1".to_owned(),
            is_left: false,
            sandboxes: 8,
            processes: 27,
            memory_bytes: 90 << 20,
            remains: vec!["/sys/fs/cgroup/basis-4026531836-4711-99-0".to_owned()],
        };
        let left =
            Holding { controller: 12, is_left: true, sandboxes: 0, processes: 1, memory_bytes: 0, ..live.clone() };
        assert_eq!(
            table(&[live, left]).render(),
            "\
backend    controller  state  sandboxes  processes  MiB  command or remains
namespace        4711  live           8         27   90  basis train --seed 1
namespace          12  left           0          1    0  /sys/fs/cgroup/basis-4026531836-4711-99-0"
        );
    }
}
