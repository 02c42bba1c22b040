//! The interpreter for environments.

use super::Check;
use crate::context::Context;
use crate::machine;

pub(super) fn check(context: &Context<'_>) -> Check {
    match machine::toolchain(&context.settings) {
        Ok(toolchain) => {
            Check::good("python", format!("{} at `{}`", toolchain.version, toolchain.executable.display()))
        }
        Err(failure) => {
            Check::missing("python", failure.to_string(), failure.next_step().unwrap_or("install Python 3.9 or newer"))
        }
    }
}
