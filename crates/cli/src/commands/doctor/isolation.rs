//! The sandbox backend, how it keeps each limit here, and what is therefore not guaranteed.

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
    let Enforcement { limit, strength, how } = enforcement;
    let what = match limit {
        "wall" => "limit of wall time",
        "memory" => "limit of memory",
        "processes" => "limit of processes",
        "cpu" => "limit of processors",
        "output" => "limit of output",
        "disk" => "limit of disk",
        "files" => "limit of files",
        "network" => "no network",
        other => other,
    };
    match strength {
        Strength::Enforced => Check::good(what, format!("exact: {how}")),
        Strength::Watched => Check::poor(what, format!("watched: {how}; {}", not_guaranteed(limit)), remedy(limit)),
        Strength::Absent => Check::poor(what, format!("not kept: {how}; {}", not_guaranteed(limit)), remedy(limit)),
    }
}

/// What can happen where a limit is not kept exactly.
fn not_guaranteed(limit: &str) -> &'static str {
    match limit {
        "memory" => {
            "not guaranteed: for a moment, a sandbox may use more, and memory files that nothing maps do not count"
        }
        "cpu" => "not guaranteed: that a busy sandbox leaves the others their share",
        "processes" => "not guaranteed: that a sandbox leaves the machine room for other processes",
        "network" => "not guaranteed: that nothing is sent out",
        _ => "not guaranteed: that a sandbox stays below it",
    }
}

/// What a user can change to have a limit kept exactly.
fn remedy(limit: &str) -> &'static str {
    match limit {
        "memory" | "cpu" | "processes" => {
            "let basis make control groups: `systemd-run --user --scope -p Delegate=yes basis …`, or run it as root"
        }
        "network" => "do not run code that you do not trust here",
        _ => "do not run code that you do not trust here, or run as root or on a newer kernel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_exactly_says_what_can_happen_and_what_to_change() {
        let of = |limit, strength, how: &str| {
            super::super::text(&check(Enforcement { limit, strength, how: how.to_owned() }))
        };
        let checks = [
            of("memory", Strength::Enforced, "a version 2 control group for each sandbox"),
            of("memory", Strength::Watched, "each process by RLIMIT_DATA, and the sum is sampled"),
            of("cpu", Strength::Absent, "sandboxes share the processors as processes do"),
            of("network", Strength::Absent, "the daemon has only the host's network"),
            of("disk", Strength::Absent, "the storage driver knows no quota"),
        ];
        assert_eq!(
            checks.join("\n"),
            "\
good    limit of memory: exact: a version 2 control group for each sandbox
poor    limit of memory: watched: each process by RLIMIT_DATA, and the sum is sampled; not guaranteed: for a moment, a \
sandbox may use more, and memory files that nothing maps do not count
        -> let basis make control groups: `systemd-run --user --scope -p Delegate=yes basis …`, or run it as root
poor    limit of processors: not kept: sandboxes share the processors as processes do; not guaranteed: that a busy \
sandbox leaves the others their share
        -> let basis make control groups: `systemd-run --user --scope -p Delegate=yes basis …`, or run it as root
poor    no network: not kept: the daemon has only the host's network; not guaranteed: that nothing is sent out
        -> do not run code that you do not trust here
poor    limit of disk: not kept: the storage driver knows no quota; not guaranteed: that a sandbox stays below it
        -> do not run code that you do not trust here, or run as root or on a newer kernel"
        );
    }
}
