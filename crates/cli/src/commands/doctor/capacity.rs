//! How many sandboxes this machine has room for, and what limits that.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::context::Context;
use crate::machine;

/// Processes of each idle sandbox: its parent and its first process.
const PROCESSES: u64 = 2;
/// Fewer idle sandboxes than this are worth a remark.
const MANY: u64 = 1000;

pub(super) fn checks(context: &Context<'_>) -> Vec<Check> {
    let sandbox = &context.settings.sandbox;
    let memory = machine::capacity(&context.settings).memory_bytes >> 20;
    vec![at_work(memory, sandbox.memory_mib), idle(&Bounds::read()), leftovers(context)]
}

/// How many may use all the memory that they are allowed.
fn at_work(available_mib: u64, each_mib: u64) -> Check {
    let what = "sandboxes at work";
    let found =
        format!("{} with {each_mib} MiB each in {available_mib} MiB; others wait", available_mib / each_mib.max(1));
    match available_mib / each_mib.max(1) {
        0 => Check::missing(what, found, "lower sandbox.memory_mib or free some memory"),
        1 => Check::poor(what, found, "lower sandbox.memory_mib or free some memory"),
        _ => Check::good(what, found),
    }
}

/// What bounds the number of sandboxes that only stand there.
struct Bounds {
    open_files: u64,
    processes: u64,
    namespaces: u64,
}

impl Bounds {
    fn read() -> Self {
        let number =
            |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
        Self {
            open_files: getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
            processes: number("/proc/sys/kernel/pid_max").min(getrlimit(Resource::Nproc).current.unwrap_or(u64::MAX)),
            namespaces: ["user", "net", "mnt", "pid"]
                .map(|kind| number(&format!("/proc/sys/user/max_{kind}_namespaces")))
                .into_iter()
                .min()
                .unwrap_or(u64::MAX),
        }
    }
}

/// How many sandboxes a controller can have that may hold so many descriptors: five for each until half of them are used, from then
/// on two, because the others are parked.
fn for_descriptors(open_files: u64) -> u64 {
    open_files / 10 + open_files / 4
}

fn idle(bounds: &Bounds) -> Check {
    let what = "idle sandboxes";
    let [files, processes, namespaces] =
        [for_descriptors(bounds.open_files), bounds.processes / PROCESSES, bounds.namespaces];
    let most = files.min(processes).min(namespaces);
    let (bound, next) = match most {
        0 => ("user namespaces", "raise it: `sysctl user.max_user_namespaces=10000`"),
        _ if most == files => ("open files", "raise the hard limit: `ulimit -Hn 65536`, or LimitNOFILE of the service"),
        _ if most == processes => ("processes", "raise them: `sysctl kernel.pid_max=4194304`, and `ulimit -u`"),
        _ => ("namespaces", "raise them: `sysctl user.max_net_namespaces=100000`, and those of the other kinds"),
    };
    let found = format!("up to {most} at once, as the limit of {bound} allows");
    match most {
        0 => Check::missing(what, found, next),
        1..MANY => Check::poor(what, found, next),
        _ => Check::good(what, found),
    }
}

/// What dead controllers left; ordinarily nothing.
fn leftovers(context: &Context<'_>) -> Check {
    let options = machine::options(&context.settings);
    let all = basis_sandbox::backends::holdings(&options).into_iter().filter_map(|(_, found)| found.ok()).flatten();
    match all.filter(|holding| holding.is_left).count() {
        0 => Check::good("leftovers", "nothing is left of dead controllers"),
        count => Check::poor("leftovers", format!("{count} dead controllers left something"), "`basis sandbox gc`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_bound_is_named_with_its_remedy() {
        let bounds = |open_files, processes, namespaces| Bounds { open_files, processes, namespaces };
        let checks = [
            idle(&bounds(1 << 20, 1 << 22, 96_000)),
            idle(&bounds(1024, 32_768, 96_000)),
            idle(&bounds(1 << 20, 1000, 96_000)),
            idle(&bounds(1 << 20, 1 << 22, 100)),
            idle(&bounds(1 << 20, 1 << 22, 0)),
            at_work(20_000, 1024),
            at_work(1500, 1024),
            at_work(900, 1024),
        ];
        assert_eq!(
            checks.map(|check| super::super::text(&check)).join("\n"),
            "\
good    idle sandboxes: up to 96000 at once, as the limit of namespaces allows
poor    idle sandboxes: up to 358 at once, as the limit of open files allows
        -> raise the hard limit: `ulimit -Hn 65536`, or LimitNOFILE of the service
poor    idle sandboxes: up to 500 at once, as the limit of processes allows
        -> raise them: `sysctl kernel.pid_max=4194304`, and `ulimit -u`
poor    idle sandboxes: up to 100 at once, as the limit of namespaces allows
        -> raise them: `sysctl user.max_net_namespaces=100000`, and those of the other kinds
missing idle sandboxes: up to 0 at once, as the limit of user namespaces allows
        -> raise it: `sysctl user.max_user_namespaces=10000`
good    sandboxes at work: 19 with 1024 MiB each in 20000 MiB; others wait
poor    sandboxes at work: 1 with 1024 MiB each in 1500 MiB; others wait
        -> lower sandbox.memory_mib or free some memory
missing sandboxes at work: 0 with 1024 MiB each in 900 MiB; others wait
        -> lower sandbox.memory_mib or free some memory"
        );
    }
}
