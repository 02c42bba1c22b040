//! What sandboxes cost.

use basis_sandbox::SandboxError;
use basis_sandbox::bench::{self, Section};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};

pub(super) fn run(rounds: usize, crowd: usize, context: &Context<'_>) -> Result<(), Failure> {
    let scratch = tempfile::tempdir().kind(Kind::Machine)?;
    show(bench::start(rounds, scratch.path()), context)?;
    context.check_stop()?;
    show(bench::repository(rounds, scratch.path()), context)?;
    context.check_stop()?;
    show(bench::crowd(crowd), context)
}

fn show(section: Result<Section, SandboxError>, context: &Context<'_>) -> Result<(), Failure> {
    let section = section.kind(Kind::Machine)?;
    match context.printer.is_json() {
        true => context.printer.json(&section),
        false => context.printer.data(section.render()),
    }
    Ok(())
}
