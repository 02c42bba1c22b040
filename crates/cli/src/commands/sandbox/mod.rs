//! `basis sandbox`: sandboxes of this machine, whoever made them.

mod gc;
mod ls;
mod pull;
mod run;

use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::machine;

/// List what sandboxes hold, remove what is left of dead ones, and run commands in images
///
/// Ordinarily nothing is left: when a command of basis ends, in whatever way, its sandboxes end with it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Ls(ls::Arguments),
    Gc(gc::Arguments),
    Pull(pull::Arguments),
    Run(run::Arguments),
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    match arguments.action {
        Action::Ls(arguments) => ls::run(arguments, context),
        Action::Gc(arguments) => gc::run(arguments, context),
        Action::Pull(arguments) => pull::run(arguments, context),
        Action::Run(arguments) => run::run(arguments, context),
    }
}

/// What controllers hold; a backend that cannot be asked is only mentioned.
fn holdings(context: &Context<'_>) -> Vec<basis_sandbox::Holding> {
    let mut all = Vec::new();
    for (backend, found) in basis_sandbox::backends::holdings(&machine::options(&context.settings)) {
        match found {
            Ok(found) => all.extend(found),
            Err(error) => context.printer.warn(format_args!("backend `{backend}`: {error}")),
        }
    }
    all
}

/// Fails if something could not be removed.
fn all_removed(failed: usize) -> Result<(), Failure> {
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(Kind::Machine, format!("{failed} could not be removed"))
            .hint("run the command as the user that made them, or as root")),
    }
}
