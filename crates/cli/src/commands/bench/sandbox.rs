//! What sandboxes cost.

use basis_sandbox::SandboxError;
use basis_sandbox::bench::{self, Section};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};

pub(super) fn run(rounds: usize, crowd: usize, context: &Context<'_>) -> Result<(), Failure> {
    let scratch = std::env::temp_dir().join(format!("basis-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).kind(Kind::Machine)?;
    let measured = measure(rounds, crowd, &scratch, context);
    std::fs::remove_dir_all(&scratch).kind(Kind::Machine)?;
    measured
}

fn measure(rounds: usize, crowd: usize, scratch: &std::path::Path, context: &Context<'_>) -> Result<(), Failure> {
    show(bench::start(rounds, scratch), context)?;
    context.check_stop()?;
    show(bench::repository(rounds, scratch), context)?;
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
