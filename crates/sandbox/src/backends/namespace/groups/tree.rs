//! Finding and removing whole parent groups, whoever made them.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::backends::namespace::lease::Lease;

/// Every parent group on this machine, and whose it is.
pub(in crate::backends::namespace) fn all() -> Vec<(Lease, PathBuf)> {
    const DEEPEST: usize = 8;
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| Some((line.split(' ').nth(1)?, line.split(' ').nth(2)?)));
    let roots = points.filter(|(_, kind)| kind.starts_with("cgroup")).map(|(point, _)| (PathBuf::from(point), 0));
    let mut left: Vec<(PathBuf, usize)> = roots.collect();
    let mut found = Vec::new();
    while let Some((directory, depth)) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                Some(lease) => found.push((lease, entry.path())),
                None if depth < DEEPEST && entry.file_type().is_ok_and(|kind| kind.is_dir()) => {
                    left.push((entry.path(), depth + 1));
                }
                None => {}
            }
        }
    }
    found
}

/// Kills what is still in a parent group and its children, and removes them.
pub(in crate::backends::namespace) fn remove_all(parent: &Path) {
    let children = fs::read_dir(parent).into_iter().flatten().flatten().map(|child| child.path());
    for group in children.filter(|path| path.is_dir()).chain([parent.to_owned()]) {
        for pid in members(&group) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        remove(&group);
    }
}

/// The processes in a group.
fn members(group: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

/// Removes a group, which stays busy for a moment after its last process has ended.
pub(super) fn remove(directory: &Path) {
    for _ in 0..200 {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            _ => break,
        }
    }
}
