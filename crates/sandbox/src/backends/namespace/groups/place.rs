//! Where the groups of a backend instance are: for each controller the nearest hierarchy in which they can be made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::controller::{Controller, Version};
use super::tree;
use crate::backends::namespace::lease::Lease;

/// The parent group for one controller. Those of version 2 share one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::backends::namespace) struct Place {
    pub(super) controller: Controller,
    pub(super) version: Version,
    pub(super) parent: PathBuf,
}

impl Place {
    /// Makes the parent group where that is possible, and removes parents that dead controllers left.
    pub(super) fn open(lease: &Lease, controller: Controller) -> Option<Self> {
        candidates(controller).into_iter().find_map(|(directory, version)| {
            for left in left_in(&directory) {
                tree::remove_all(&left);
            }
            let place = Self { controller, version, parent: directory.join(lease.to_string()) };
            place.make(&directory).is_ok().then_some(place)
        })
    }

    fn make(&self, directory: &Path) -> io::Result<()> {
        if self.version == Version::Two {
            enable(directory, self.controller)?;
        }
        let made = match fs::create_dir(&self.parent) {
            // An earlier spawner of the same controller made it, or another place is there.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            made => made.map(|()| true)?,
        };
        let usable = self.try_out();
        if usable.is_err() && made {
            // Nothing is in it.
            let _ = fs::remove_dir(&self.parent);
        }
        usable
    }

    fn try_out(&self) -> io::Result<()> {
        if self.version == Version::Two {
            enable(&self.parent, self.controller)?;
        }
        let trial = self.parent.join("trial");
        fs::create_dir(&trial)?;
        let exists = fs::metadata(trial.join(self.controller.limit_file(self.version)));
        fs::remove_dir(&trial)?;
        exists.map(drop)
    }
}

/// Parent groups in `directory` whose controllers are dead.
fn left_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let dead = |name: &str| name.parse::<Lease>().is_ok_and(|lease| !lease.is_held());
    entries.filter(|entry| entry.file_name().to_str().is_some_and(dead)).map(|entry| entry.path()).collect()
}

/// Lets the children of a version 2 group have limits of this kind.
fn enable(directory: &Path, controller: Controller) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    if fs::read_to_string(&file)?.split_whitespace().any(|name| name == controller.name()) {
        return Ok(());
    }
    fs::write(file, format!("+{}", controller.name()))
}

/// Where groups might be made: near this process first, because its own limits hold there.
fn candidates(controller: Controller) -> Vec<(PathBuf, Version)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for mount in mounts.lines() {
        let fields: Vec<&str> = mount.split(' ').collect();
        let [_, point, kind, options, ..] = fields[..] else { continue };
        let version = match kind {
            "cgroup2" => Version::Two,
            "cgroup" if options.split(',').any(|option| option == controller.name()) => Version::One,
            _ => continue,
        };
        let own = own.lines().find_map(|line| own_group(line, version, controller)).unwrap_or("/");
        let mut directories: Vec<PathBuf> = Path::new(own).ancestors().map(|path| below(point, path)).collect();
        if version == Version::One {
            directories.truncate(1);
            directories.push(point.into());
        }
        found.extend(directories.into_iter().map(|directory| (directory, version)));
    }
    found
}

fn own_group(line: &str, version: Version, controller: Controller) -> Option<&str> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let ours = match version {
        Version::One => controllers.split(',').any(|name| name == controller.name()),
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
        let memory = |line, version| own_group(line, version, Controller::Memory);
        assert_eq!(memory("4:cpu,memory:/a/b", Version::One), Some("/a/b"));
        assert_eq!(memory("4:cpu:/a/b", Version::One), None);
        assert_eq!(own_group("4:cpu:/a/b", Version::One, Controller::Processors), Some("/a/b"));
        assert_eq!(memory("0::/user.slice", Version::Two), Some("/user.slice"));
        assert_eq!(memory("1:name=systemd:/", Version::Two), None);
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
