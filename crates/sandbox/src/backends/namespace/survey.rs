//! Finds the spawners, boxes and control groups of all controllers of this machine, and removes those of dead ones.
//!
//! Ordinarily there is nothing to remove: a spawner ends with its controller. It cannot while it is stopped, and it cannot
//! remove its control groups when it is killed in the same moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::lease::Lease;
use super::{backend, entry, groups};
use crate::backends::Options;
use crate::backends::processes::{Processes, command_line, memory};
use crate::{Holding, SandboxError};

/// Everything that controllers hold of this backend, in the order of their names.
pub(in crate::backends) fn holdings(_: &Options) -> Result<Vec<Holding>, SandboxError> {
    let processes = Processes::read()?;
    let mut groups: BTreeMap<Lease, Vec<PathBuf>> = BTreeMap::new();
    for (lease, group) in groups::all() {
        groups.entry(lease).or_default().push(group);
    }
    let helpers = helpers(&processes);
    let leases: BTreeSet<&Lease> = helpers.keys().chain(groups.keys()).collect();
    let holding = |lease: &Lease| {
        let family = processes.family(helpers.get(lease).map_or(&[], Vec::as_slice));
        let is_left = !lease.is_held();
        let remains = groups.get(lease).into_iter().flatten();
        Holding {
            backend: backend::NAME,
            name: lease.to_string(),
            controller: lease.pid,
            command: if is_left { String::new() } else { command_line(lease.pid) },
            is_left,
            sandboxes: family.iter().filter(|pid| is_box(**pid)).count(),
            processes: family.len(),
            memory_bytes: family.iter().map(|pid| memory(*pid)).sum(),
            remains: remains.map(|group| group.display().to_string()).collect(),
        }
    };
    Ok(leases.into_iter().map(holding).collect())
}

/// Kills and removes what a dead controller left, and waits until it is gone.
pub(in crate::backends) fn collect(holding: &Holding, _: &Options) -> Result<(), SandboxError> {
    const PATIENCE: u32 = 2000;
    let wrong = |reason: &str| SandboxError::Spec { path: holding.name.clone().into(), reason: reason.into() };
    let lease: Lease = holding.name.parse().map_err(|()| wrong("not a holding of this backend"))?;
    if lease.is_held() {
        return Err(wrong("its controller is alive; end that process instead"));
    }
    for _ in 0..PATIENCE {
        let processes = Processes::read()?;
        let helpers = helpers(&processes).remove(&lease).unwrap_or_default();
        if helpers.is_empty() {
            groups::all()
                .into_iter()
                .filter(|(owner, _)| *owner == lease)
                .for_each(|(_, group)| groups::remove_all(&group));
            return match groups::all().into_iter().find(|(owner, _)| *owner == lease) {
                None => Ok(()),
                Some((_, group)) => Err(SandboxError::Lost(format!("`{}` could not be removed", group.display()))),
            };
        }
        helpers.iter().try_for_each(|pid| kill(*pid, &lease))?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(SandboxError::Lost(format!("processes of `{lease}` did not die")))
}

fn kill(pid: u32, lease: &Lease) -> Result<(), SandboxError> {
    let failed = |error| SandboxError::system(format!("kill process {pid} of `{lease}`"), error);
    let Some(number) = Pid::from_raw(pid as i32) else { return Ok(()) };
    let process = match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    // The number may have gone to another process before it was opened.
    if helper(pid).as_ref() != Some(lease) {
        return Ok(());
    }
    match rustix::process::pidfd_send_signal(process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Spawners, keepers and boxes by whose they are.
fn helpers(processes: &Processes) -> BTreeMap<Lease, Vec<u32>> {
    let mut found: BTreeMap<Lease, Vec<u32>> = BTreeMap::new();
    for (pid, lease) in processes.numbers().filter_map(|pid| Some((pid, helper(pid)?))) {
        found.entry(lease).or_default().push(pid);
    }
    found
}

/// The lease of a spawner, or of what it forked: all have its command line.
fn helper(pid: u32) -> Option<Lease> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = line.split(|byte| *byte == 0);
    arguments.next().filter(|name| *name == entry::NAME.as_bytes())?;
    std::str::from_utf8(arguments.next()?).ok()?.parse().ok()
}

/// Whether a process is the first one of a pid namespace.
fn is_box(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}
