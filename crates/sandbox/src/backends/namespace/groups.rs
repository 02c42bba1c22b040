//! Memory limits by control groups, version 2 or 1, where this process may make them.
//!
//! One parent group per backend instance, one child per box. The name of the parent says which process made it, so that
//! groups of processes that were killed can be told from live ones and removed later.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A place for the groups of one backend.
pub(super) struct Groups {
    parent: PathBuf,
    version: Version,
    next: AtomicU64,
}

/// The group of one box. Dropping it removes it, which needs its processes to be gone.
pub(super) struct Group {
    directory: PathBuf,
    version: Version,
    kills: u64,
    limit: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Groups {
    /// Makes the parent group where that is possible, and removes parents that dead processes left.
    pub(super) fn find() -> Option<Self> {
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let (prefix, pid) = (prefix()?, std::process::id());
        let name = format!("{prefix}{pid}-{}-{}", started(pid)?, INSTANCES.fetch_add(1, Ordering::Relaxed));
        candidates().into_iter().find_map(|(directory, version)| {
            sweep(&directory, &prefix);
            let parent = directory.join(&name);
            let groups = Self { parent, version, next: AtomicU64::new(0) };
            groups.open(&directory).is_ok().then_some(groups)
        })
    }

    /// The parent group.
    pub(super) fn directory(&self) -> &Path {
        &self.parent
    }

    /// How memory is limited, in words.
    pub(super) fn describe(&self) -> &'static str {
        match self.version {
            Version::One => "a version 1 control group for each sandbox, files in its tmpfs included",
            Version::Two => "a version 2 control group for each sandbox, files in its tmpfs included",
        }
    }

    /// Puts a process, and whatever it will start, into a group of its own.
    pub(super) fn add(&self, pid: i32) -> io::Result<Group> {
        let directory = self.parent.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&directory)?;
        let group = Group { directory, version: self.version, kills: 0, limit: None };
        fs::write(group.directory.join("cgroup.procs"), pid.to_string())?;
        Ok(group)
    }

    fn open(&self, directory: &Path) -> io::Result<()> {
        if self.version == Version::Two {
            enable(directory)?;
        }
        fs::create_dir(&self.parent)?;
        let enabled = match self.version {
            Version::One => Ok(()),
            Version::Two => enable(&self.parent),
        };
        let usable = enabled.and_then(|()| {
            let trial = self.parent.join("trial");
            fs::create_dir(&trial)?;
            let exists = fs::metadata(trial.join(limit_file(self.version)));
            fs::remove_dir(&trial)?;
            exists.map(drop)
        });
        if usable.is_err() {
            // Nothing is in it.
            let _ = fs::remove_dir(&self.parent);
        }
        usable
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        remove_tree(&self.parent);
    }
}

impl Group {
    /// Whether the kernel killed a process for lack of memory since this was last asked.
    pub(super) fn killed(&mut self) -> bool {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0);
        let before = std::mem::replace(&mut self.kills, count);
        count > before
    }

    /// Sets the limit for all processes of the group together.
    pub(super) fn limit(&mut self, memory_bytes: u64) -> io::Result<()> {
        if self.limit == Some(memory_bytes) {
            return Ok(());
        }
        let write = |file: &str, value: String| fs::write(self.directory.join(file), value);
        let (swap, none, value) = match self.version {
            // It counts memory too, and may never be below the other limit.
            Version::One => ("memory.memsw.limit_in_bytes", "-1", memory_bytes),
            Version::Two => ("memory.swap.max", "0", 0),
        };
        // Kernels that do not account swap lack the file.
        let _ = write(swap, none.into());
        write(limit_file(self.version), memory_bytes.to_string())?;
        let _ = write(swap, value.to_string());
        self.limit = Some(memory_bytes);
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// Removes a parent group and all its children, whose processes must be gone.
pub(super) fn remove_tree(parent: &Path) {
    for child in fs::read_dir(parent).into_iter().flatten().flatten() {
        if child.path().is_dir() {
            remove(&child.path());
        }
    }
    remove(parent);
}

/// A group stays busy for a moment after its last process has ended.
fn remove(directory: &Path) {
    for _ in 0..200 {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            _ => break,
        }
    }
}

fn limit_file(version: Version) -> &'static str {
    match version {
        Version::One => "memory.limit_in_bytes",
        Version::Two => "memory.max",
    }
}

/// Lets the children of a version 2 group have memory limits.
fn enable(directory: &Path) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    if fs::read_to_string(&file)?.split_whitespace().any(|name| name == "memory") {
        return Ok(());
    }
    fs::write(file, "+memory")
}

/// Where groups might be made: near this process first, because its own limits hold there.
fn candidates() -> Vec<(PathBuf, Version)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for mount in mounts.lines() {
        let fields: Vec<&str> = mount.split(' ').collect();
        let [_, point, kind, options, ..] = fields[..] else { continue };
        let version = match kind {
            "cgroup2" => Version::Two,
            "cgroup" if options.split(',').any(|option| option == "memory") => Version::One,
            _ => continue,
        };
        let own = own.lines().find_map(|line| own_group(line, version)).unwrap_or("/");
        let mut directories: Vec<PathBuf> = Path::new(own).ancestors().map(|path| below(point, path)).collect();
        if version == Version::One {
            directories.truncate(1);
            directories.push(point.into());
        }
        found.extend(directories.into_iter().map(|directory| (directory, version)));
    }
    found
}

fn own_group(line: &str, version: Version) -> Option<&str> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let ours = match version {
        Version::One => controllers.split(',').any(|name| name == "memory"),
        Version::Two => controllers.is_empty(),
    };
    ours.then_some(path)
}

fn below(point: &str, group: &Path) -> PathBuf {
    Path::new(point).join(group.strip_prefix("/").unwrap_or(group))
}

/// What the names of parents made in this pid namespace begin with; numbers of others say nothing here.
fn prefix() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    Some(format!("basis-{}-", fs::metadata("/proc/self/ns/pid").ok()?.ino()))
}

/// When a live process started, in clock ticks after the start of the machine.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn sweep(directory: &Path, prefix: &str) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
        let mut numbers = owner.split('-').map(|number| number.parse::<u64>().ok());
        if let (Some(Some(pid)), Some(Some(start))) = (numbers.next(), numbers.next())
            && started(pid as u32) != Some(start)
        {
            remove_tree(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_for_both_versions() {
        assert_eq!(own_group("4:cpu,memory:/a/b", Version::One), Some("/a/b"));
        assert_eq!(own_group("4:cpu:/a/b", Version::One), None);
        assert_eq!(own_group("0::/user.slice", Version::Two), Some("/user.slice"));
        assert_eq!(own_group("1:name=systemd:/", Version::Two), None);
    }

    #[test]
    fn groups_of_dead_processes_are_swept_and_live_ones_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = std::process::id();
        let live = directory.path().join(format!("basis-1-{own}-{}-0", started(own).expect("running")));
        let dead = directory.path().join(format!("basis-1-{own}-1-0"));
        for path in [&live, &dead, &dead.join("7")] {
            fs::create_dir(path).expect("made");
        }
        sweep(directory.path(), "basis-1-");
        assert!(live.exists());
        assert!(!dead.exists());
    }
}
