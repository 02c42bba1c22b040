//! Memory limits by control groups, version 2 or 1, where this process may make them.
//!
//! One parent group per backend instance, one child per keeper. The parent is called like the [`Lease`], so that groups of
//! processes that were killed can be told from live ones. The spawner makes it, because it outlives the controller: there
//! is no moment at which the death of the controller could leave a group behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::lease::Lease;

/// The groups of one backend. Dropping it removes them.
pub(super) struct Groups {
    place: Place,
    next: AtomicU64,
}

/// Where they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Place {
    parent: PathBuf,
    version: Version,
}

/// The group of one box. Dropping it removes it, which needs its processes to be gone.
pub(super) struct Group {
    directory: PathBuf,
    version: Version,
    kills: u64,
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    One,
    Two,
}

impl Groups {
    /// Makes the parent group where that is possible, and removes parents that dead controllers left.
    pub(super) fn open(lease: &Lease) -> Option<Self> {
        candidates().into_iter().find_map(|(directory, version)| {
            for left in left_in(&directory) {
                remove_tree(&left);
            }
            let place = Place { parent: directory.join(lease.to_string()), version };
            place.make(&directory).is_ok().then(|| Self::at(place))
        })
    }

    /// The groups that the spawner made.
    pub(super) fn at(place: Place) -> Self {
        Self { place, next: AtomicU64::new(0) }
    }

    /// Where they are.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Removes the parent with all its children, whose processes must be gone.
    pub(super) fn remove(&self) {
        remove_tree(&self.place.parent);
    }

    /// How memory is limited, in words.
    pub(super) fn describe(&self) -> &'static str {
        match self.place.version {
            Version::One => "a version 1 control group for each sandbox, files in its tmpfs included",
            Version::Two => "a version 2 control group for each sandbox, files in its tmpfs included",
        }
    }

    /// Puts a process, and whatever it will start, into a group of its own.
    pub(super) fn add(&self, pid: i32) -> io::Result<Group> {
        let directory = self.place.parent.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&directory)?;
        let group = Group { directory, version: self.place.version, kills: 0, limit: None };
        fs::write(group.directory.join("cgroup.procs"), pid.to_string())?;
        Ok(group)
    }
}

impl Place {
    fn make(&self, directory: &Path) -> io::Result<()> {
        if self.version == Version::Two {
            enable(directory)?;
        }
        match fs::create_dir(&self.parent) {
            // An earlier spawner of the same controller made it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        }
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
        self.remove();
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

/// Kills what is still in a parent group and its children, and removes them.
pub(super) fn remove_tree(parent: &Path) {
    let children = fs::read_dir(parent).into_iter().flatten().flatten().map(|child| child.path());
    for group in children.filter(|path| path.is_dir()).chain([parent.to_owned()]) {
        for pid in members(&group) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        remove(&group);
    }
}

/// The processes in a group.
pub(super) fn members(group: &Path) -> Vec<rustix::process::Pid> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| rustix::process::Pid::from_raw(line.parse().ok()?)).collect()
}

/// Parent groups in `directory` whose controllers are dead.
fn left_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let dead = |name: &str| name.parse::<Lease>().is_ok_and(|lease| !lease.is_held());
    entries.filter(|entry| entry.file_name().to_str().is_some_and(dead)).map(|entry| entry.path()).collect()
}

/// Every parent group on this machine, and whose it is.
pub(super) fn all() -> Vec<(Lease, PathBuf)> {
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
    fn groups_of_dead_controllers_are_found_and_live_ones_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let live = Lease::of_this_process().expect("/proc is there");
        let dead = Lease { started: 1, ..live.clone() };
        for name in [live.to_string(), dead.to_string(), "another".into()] {
            fs::create_dir(directory.path().join(name)).expect("made");
        }
        assert_eq!(left_in(directory.path()), [directory.path().join(dead.to_string())]);
    }
}
