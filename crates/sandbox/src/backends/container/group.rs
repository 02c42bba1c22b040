//! The control group that the engine made for a container: whether it has the limits that were asked for, and whether the kernel
//! killed for lack of memory. The engine's own flag says so only when the first process is the victim.

use std::fs;
use std::path::{Path, PathBuf};

/// The groups of one container.
#[derive(Debug, Default)]
pub(super) struct Group {
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    kills: u64,
}

impl Group {
    /// The groups of a process, as far as they can be read here.
    pub(super) fn of(process: i32) -> Self {
        let own = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let find = |controller: &str| find(&own, &mounts, controller).filter(|path| path.is_dir());
        let mut group = Self { memory: find("memory"), pids: find("pids"), kills: 0 };
        group.kills = group.count();
        group
    }

    /// The limit of memory in bytes that is in force.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        read(self.memory.as_deref()?, &["memory.max", "memory.limit_in_bytes"])
    }

    /// The limit of processes that is in force.
    pub(super) fn process_limit(&self) -> Option<u64> {
        read(self.pids.as_deref()?, &["pids.max"])
    }

    /// Whether the kernel killed a process for lack of memory since this was last asked.
    pub(super) fn killed(&mut self) -> bool {
        let count = self.count();
        count > std::mem::replace(&mut self.kills, count)
    }

    fn count(&self) -> u64 {
        let Some(directory) = &self.memory else { return 0 };
        let texts = ["memory.events", "memory.oom_control"].map(|file| fs::read_to_string(directory.join(file)));
        let text = texts.into_iter().flatten().next().unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }
}

fn read(directory: &Path, files: &[&str]) -> Option<u64> {
    let text = files.iter().find_map(|file| fs::read_to_string(directory.join(file)).ok())?;
    text.trim().parse().ok()
}

/// The directory of the group that has `controller`: that of version 1 if it is bound to one, else that of version 2.
fn find(own: &str, mounts: &str, controller: &str) -> Option<PathBuf> {
    let lines = own.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let mut unified = None;
    for (controllers, path) in lines {
        if controllers.split(',').any(|name| name == controller) {
            return Some(join(&mount(mounts, "cgroup", Some(controller))?, path));
        }
        if controllers.is_empty() {
            unified = Some(path);
        }
    }
    Some(join(&mount(mounts, "cgroup2", None)?, unified?))
}

fn mount(mounts: &str, kind: &str, option: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [_, point, its_kind, options, ..] = fields[..] else { return None };
        let fits = its_kind == kind && option.is_none_or(|option| options.split(',').any(|one| one == option));
        fits.then(|| point.into())
    })
}

fn join(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                          cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";

    #[test]
    fn groups_are_found_in_both_versions() {
        let hybrid = "4:memory:/libpod/x\n0::/libpod/x\n";
        assert_eq!(find(hybrid, MOUNTS, "memory"), Some("/sys/fs/cgroup/memory/libpod/x".into()));
        assert_eq!(find("0::/a/b\n", MOUNTS, "memory"), Some("/sys/fs/cgroup/unified/a/b".into()));
        assert_eq!(find("", MOUNTS, "memory"), None);
    }
}
