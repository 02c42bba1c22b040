//! The living processes that can be seen from here, for those who look at sandboxes from outside.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::SandboxError;

/// Each process with its parent.
pub(super) struct Processes(HashMap<u32, u32>);

impl Processes {
    pub(super) fn read() -> Result<Self, SandboxError> {
        let entries = fs::read_dir("/proc").map_err(|error| SandboxError::system("list `/proc`", error))?;
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(Self(pids.filter_map(|pid| Some((pid, parent(pid)?))).collect()))
    }

    /// Their numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// These processes and all below them.
    pub(super) fn family(&self, roots: &[u32]) -> BTreeSet<u32> {
        let mut family: BTreeSet<u32> = roots.iter().copied().collect();
        if family.is_empty() {
            return family;
        }
        loop {
            let below = self.0.iter().filter(|(_, parent)| family.contains(parent)).map(|(pid, _)| *pid);
            let larger: BTreeSet<u32> = below.chain(family.iter().copied()).collect();
            if larger.len() == family.len() {
                return family;
            }
            family = larger;
        }
    }
}

/// The parent of a process that is not dead.
pub(super) fn parent(pid: u32) -> Option<u32> {
    living(pid, 1)?.try_into().ok()
}

/// When a process that is not dead started, in clock ticks after the start of the machine.
pub(super) fn started(pid: u32) -> Option<u64> {
    living(pid, 19)
}

/// The number of the pid namespace of this process; process numbers of another one mean nothing here.
pub(super) fn namespace() -> Option<u64> {
    Some(fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

/// A number that the kernel tells about a process, by its place behind the state. Ended processes that nobody collected have none.
fn living(pid: u32, place: usize) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain anything, so count from the last parenthesis.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace();
    fields.next().filter(|state| !matches!(*state, "Z" | "X"))?;
    fields.nth(place - 1)?.parse().ok()
}

/// Bytes of memory of a process; what it shares with others counts in parts.
pub(super) fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map_or(0, |count: u64| count << 10)
}

/// The command line of a process, its arguments separated by spaces.
pub(super) fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ended_is_not_alive_before_it_is_collected() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("started");
        let pid = child.id();
        assert_eq!(parent(pid), Some(std::process::id()));
        assert!(started(pid) >= started(std::process::id()) && started(pid).is_some());
        child.kill().expect("killed");
        while started(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(fs::exists(format!("/proc/{pid}")).expect("looked"), "nobody has collected it");
        assert_eq!(parent(pid), None);
        child.wait().expect("collected");
    }
}
