//! Identities: which host id a box runs as, and views of host directories that show their owner as that id.
//!
//! Run by root, every box gets its own host id, far from the ids of people and services, and host directories are
//! id-mapped. Run by an ordinary user, a box has that user's id and directories need no mapping.

use std::collections::HashMap;
use std::fs;
use std::os::fd::OwnedFd;

use super::protocol::{Doing, Failure};
use super::sys::{self, Cloned};

/// The user and group id inside every box.
pub(super) const INSIDE: u32 = 1000;

/// First host id of boxes made by root: above the ranges of `useradd`, `subuid` and `systemd-nspawn`.
const FIRST: u32 = 1_900_000_000;

/// Boxes of one spawner at once at most.
pub(super) const SLOTS: u32 = 1 << 13;

/// Which host ids boxes get.
pub(in crate::backends) enum Identities {
    /// Any: the spawner is root of the machine.
    Many { first: u32 },
    /// Only that of the user.
    One { user: u32, group: u32 },
}

impl Identities {
    /// The choice for this process: an ordinary user, or root of an inner user namespace, has only its own id.
    pub(in crate::backends) fn of_this_process() -> Self {
        let user = rustix::process::geteuid().as_raw();
        let initial = fs::read_to_string("/proc/self/uid_map")
            .is_ok_and(|map| map.split_whitespace().eq(["0", "0", "4294967295"]));
        if user == 0 && initial {
            // Spawners whose numbers differ in these bits share no ids; all ids stay below 2^31.
            let process = std::process::id() & 0x3fff;
            Self::Many { first: FIRST + process * SLOTS }
        } else {
            Self::One { user, group: rustix::process::getegid().as_raw() }
        }
    }

    /// Whether boxes have other ids than the files that are shown to them.
    pub(in crate::backends) fn are_mapped(&self) -> bool {
        matches!(self, Self::Many { .. })
    }

    /// Host user and group of the box in `slot`, which is below [`SLOTS`].
    pub(super) fn host(&self, slot: u32) -> Owner {
        match self {
            Self::Many { first } => (first + slot, first + slot),
            Self::One { user, group } => (*user, *group),
        }
    }
}

/// Gains the right to copy mounts: a user namespace with the same single identity.
pub(super) fn become_mount_owner(user: u32, group: u32) -> Result<(), Failure> {
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).doing(|| {
        "make a user namespace (see sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone and \
         kernel.apparmor_restrict_unprivileged_userns)"
            .into()
    })?;
    fs::write("/proc/self/setgroups", "deny").doing(|| "deny setgroups".into())?;
    write_maps(std::process::id() as i32, (user, group), (user, group))
}

/// Writes the identity maps of a process in a new user namespace: one user and one group.
pub(super) fn write_maps(pid: i32, inside: Owner, host: Owner) -> Result<(), Failure> {
    for (file, inside, host) in [("uid_map", inside.0, host.0), ("gid_map", inside.1, host.1)] {
        let path = format!("/proc/{pid}/{file}");
        fs::write(&path, format!("{inside} {host} 1")).doing(|| format!("write the identity map {path}"))?;
    }
    Ok(())
}

/// A user and a group.
pub(in crate::backends) type Owner = (u32, u32);

/// User namespaces that only serve as maps of id-mapped mounts, by owner on disk and owner as shown.
#[derive(Default)]
pub(in crate::backends) struct Maps(HashMap<(Owner, Owner), OwnedFd>);

impl Maps {
    /// The namespace under which files of `owner` appear as `host`.
    pub(in crate::backends) fn get(&mut self, owner: Owner, host: Owner) -> Result<&OwnedFd, Failure> {
        const KEPT: usize = 512;
        if self.0.len() >= KEPT && !self.0.contains_key(&(owner, host)) {
            self.0.clear();
        }
        match self.0.entry((owner, host)) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => Ok(entry.insert(make_map(owner, host)?)),
        }
    }
}

/// Does nothing until it is killed, by its parent or with it.
fn wait_for_the_end(parent: rustix::process::Pid) -> ! {
    let bound = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // The parent may have died before.
    if bound.is_err() || rustix::process::getppid() != Some(parent) {
        sys::exit(1);
    }
    loop {
        rustix::event::pause();
    }
}

fn make_map(owner: Owner, host: Owner) -> Result<OwnedFd, Failure> {
    let parent = rustix::process::getpid();
    match sys::clone(libc::CLONE_NEWUSER).doing(|| "make a user namespace".into())? {
        Cloned::Child => wait_for_the_end(parent),
        Cloned::Parent { pid, pidfd } => {
            let map = write_maps(pid, owner, host)
                .and_then(|()| fs::File::open(format!("/proc/{pid}/ns/user")).doing(|| "open a user namespace".into()));
            // The child is ours and only waits: it cannot be gone.
            let _ = rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL);
            sys::wait(pid);
            Ok(map?.into())
        }
    }
}
