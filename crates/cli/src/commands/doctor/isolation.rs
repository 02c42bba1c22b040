//! The sandbox backend and how it keeps each limit here.

use basis_sandbox::{Enforcement, Strength};

use super::Check;
use crate::context::Context;
use crate::machine;

pub(super) fn checks(context: &Context<'_>) -> Vec<Check> {
    let name = &context.settings.sandbox.backend;
    match machine::backend(&context.settings) {
        Ok(backend) => {
            let mut checks = vec![Check::good("sandbox", format!("backend `{name}`"))];
            checks.extend(backend.enforcement().into_iter().map(check));
            checks
        }
        Err(failure) => {
            let next = failure.next_step().unwrap_or("see the reason").to_owned();
            vec![Check::missing("sandbox", failure.to_string(), next)]
        }
    }
}

fn check(enforcement: Enforcement) -> Check {
    let what = match enforcement.limit {
        "wall" => "limit of wall time",
        "memory" => "limit of memory",
        "processes" => "limit of processes",
        "output" => "limit of output",
        "disk" => "limit of disk",
        "files" => "limit of files",
        "cpu" => "limit of cpu",
        "network" => "no network",
        other => other,
    };
    match enforcement.strength {
        Strength::Enforced => Check::good(what, format!("exact: {}", enforcement.how)),
        Strength::Watched => Check::good(what, format!("watched, a short excess is possible: {}", enforcement.how)),
        Strength::Absent => {
            let next = "do not run code that you do not trust, or run as root or on a newer kernel";
            Check::poor(what, format!("not kept: {}", enforcement.how), next)
        }
    }
}
