//! What verdicts cost: those of each skill, and the runs of tests that they are made of.

mod branchy;
mod skills;
mod warm;

use crate::context::Context;
use crate::exit::Failure;

pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    warm::run(context)?;
    context.check_stop()?;
    skills::run(context)
}
