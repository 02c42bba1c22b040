//! The spawner: one thread, little memory, which clones boxes and ends with its controller.
//!
//! Forking a controller with gigabytes of memory takes a tenth of a second; forking the spawner does not. Boxes die
//! with it (parent-death signal), and it ends when the controller closes its end or dies in any way.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::protocol::{BoxRequest, BoxSpec, Channel, Doing, Failure, SpawnerReply};
use super::sys::{self, Cloned};
use super::template::{self, Target, Templates};
use super::userns::{self, Identities, Maps};
use super::{groups, init};

/// Serves the controller until it is gone; then removes its control groups, if it has any.
pub(super) fn run(control: OwnedFd, groups: &[u8]) -> ! {
    let control = Channel::new(control);
    let failure = match Spawner::start(groups) {
        Ok(mut spawner) => {
            let ended = spawner.serve(&control);
            spawner.end();
            match ended {
                Ok(()) => sys::exit(0),
                Err(failure) => failure,
            }
        }
        Err(failure) => failure,
    };
    // Without a reader there is nobody to tell.
    let _ = control.send(&SpawnerReply::Failed(failure), &[]);
    sys::exit(1);
}

struct Spawner {
    controller: OwnedFd,
    children: OwnedFd,
    identities: Identities,
    maps: Maps,
    templates: Templates,
    /// Slot of each live box, by process.
    slots: HashMap<i32, u32>,
    groups: Option<PathBuf>,
}

/// A host directory ready to be mounted, and where.
pub(super) struct Trees {
    pub(super) layers: Vec<OwnedFd>,
    pub(super) mounts: Vec<(OwnedFd, Target)>,
}

impl Spawner {
    fn start(groups: &[u8]) -> Result<Self, Failure> {
        rustix::process::setsid().doing(|| "start a session".into())?;
        let parent = rustix::process::getppid().unwrap_or(Pid::INIT);
        let controller =
            rustix::process::pidfd_open(parent, PidfdFlags::empty()).doing(|| "watch the controller".into())?;
        let identities = Identities::of_this_process();
        match identities {
            Identities::Many { .. } => {
                rustix::thread::set_thread_groups(&[]).doing(|| "drop supplementary groups".into())?;
            }
            Identities::One { user, group } => become_mount_owner(user, group)?,
        }
        let children = sys::child_signals().doing(|| "watch children".into())?;
        let templates = Templates::new()?;
        let groups = (!groups.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(groups)));
        Ok(Self { controller, children, identities, maps: Maps::default(), templates, slots: HashMap::new(), groups })
    }

    fn serve(&mut self, control: &Channel) -> Result<(), Failure> {
        // Whoever hears nothing is gone, which the next look at the controller shows.
        let _ = control.send(&SpawnerReply::Hello, &[]);
        loop {
            let mut watched = [
                PollFd::new(control, PollFlags::IN),
                PollFd::new(&self.controller, PollFlags::IN),
                PollFd::new(&self.children, PollFlags::IN),
            ];
            if let Err(error) = rustix::event::poll(&mut watched, None)
                && error != rustix::io::Errno::INTR
            {
                return Err(Failure::new("wait for requests", &error.into()));
            }
            let [request, ended, children] = watched.map(|fd| !fd.revents().is_empty());
            if children {
                self.reap();
            }
            if request {
                match control.receive::<BoxSpec>().doing(|| "read a request".into())? {
                    Some((spec, _)) => self.answer(control, &spec),
                    None => return Ok(()),
                }
            } else if ended {
                return Ok(());
            }
        }
    }

    fn reap(&mut self) {
        let mut drained = [0; 128];
        while rustix::io::read(&self.children, &mut drained).is_ok_and(|count| count > 0) {}
        while let Some((pid, _)) = sys::reap() {
            self.slots.remove(&pid);
        }
    }

    fn answer(&mut self, control: &Channel, spec: &BoxSpec) {
        let sent = match self.create(spec) {
            Ok((pid, pidfd, channel)) => {
                control.send(&SpawnerReply::Created { pid }, &[pidfd.as_fd(), channel.as_fd()])
            }
            Err(failure) => control.send(&SpawnerReply::Failed(failure), &[]),
        };
        // The next look at the controller shows that it is gone.
        drop(sent);
    }

    /// Kills every box, waits until all are gone, and removes their control groups.
    fn end(&mut self) {
        for pid in self.slots.keys().filter_map(|pid| Pid::from_raw(*pid)) {
            // Not collected yet, so the number is still its own.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        for pid in self.slots.keys() {
            sys::wait(*pid);
        }
        if let Some(groups) = &self.groups {
            groups::remove_tree(groups);
        }
    }

    fn create(&mut self, spec: &BoxSpec) -> Result<(i32, OwnedFd, Channel), Failure> {
        let slot = self.free_slot()?;
        let host = self.identities.host(slot);
        let trees = self.open_trees(spec, host)?;
        let targets: Vec<Target> = targets(spec, &trees);
        let (ours, theirs) = Channel::pair().doing(|| "make a socket pair".into())?;
        let namespaces = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
        // The child must never come back here: it would leave the template for the host's view.
        let clone = || match sys::clone(namespaces)? {
            Cloned::Child => init::run(spec, trees, theirs),
            Cloned::Parent { pid, pidfd } => Ok::<_, std::io::Error>((pid, pidfd)),
        };
        let (pid, pidfd) = self.templates.inside(&targets, clone)?.doing(|| "clone a box".into())?;
        self.slots.insert(pid, slot);
        userns::write_maps(pid, (userns::INSIDE, userns::INSIDE), host)?;
        ours.send(&BoxRequest::Start, &[]).doing(|| "start a box".into())?;
        Ok((pid, pidfd, ours))
    }

    fn free_slot(&self) -> Result<u32, Failure> {
        const SLOTS: u32 = 4096;
        let used: std::collections::HashSet<u32> = self.slots.values().copied().collect();
        let full =
            || Failure::new(format!("no more than {SLOTS} sandboxes at once"), &std::io::ErrorKind::Other.into());
        (0..SLOTS).find(|slot| !used.contains(slot)).ok_or_else(full)
    }

    fn open_trees(&mut self, spec: &BoxSpec, host: (u32, u32)) -> Result<Trees, Failure> {
        let mut trees = Trees { layers: Vec::new(), mounts: Vec::new() };
        for layer in &spec.layers {
            trees.layers.push(self.open_tree(layer, host, 0).map_err(|failure| failure.about(layer))?);
        }
        for (source, target) in &spec.mounts {
            let tree = self.open_tree(source, host, template::READ_ONLY).map_err(|failure| failure.about(source))?;
            trees.mounts.push((tree, (target.clone(), source.is_dir())));
        }
        Ok(trees)
    }

    fn open_tree(&mut self, path: &Path, host: (u32, u32), attributes: u64) -> Result<OwnedFd, Failure> {
        if let Identities::One { .. } = self.identities {
            // What is mounted below cannot be left out by an ordinary user.
            let tree = template::clone_tree(path, true)?;
            if attributes != 0 {
                sys::set_mount_attributes(&tree, attributes, None, true).doing(|| "make read-only".into())?;
            }
            return Ok(tree);
        }
        let tree = template::clone_tree(path, false)?;
        let data = rustix::fs::fstat(&tree).doing(|| "read the owner".into())?;
        let map = self.maps.get((data.st_uid, data.st_gid), host)?;
        sys::set_mount_attributes(&tree, attributes, Some(map), false)
            .doing(|| "id-map (the file system must support it)".into())?;
        Ok(tree)
    }
}

/// Gains the right to copy mounts: a user namespace with the same single identity.
fn become_mount_owner(user: u32, group: u32) -> Result<(), Failure> {
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).doing(|| {
        "make a user namespace (see sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone and \
         kernel.apparmor_restrict_unprivileged_userns)"
            .into()
    })?;
    std::fs::write("/proc/self/setgroups", "deny").doing(|| "deny setgroups".into())?;
    userns::write_maps(std::process::id() as i32, (user, group), (user, group))
}

/// All mount points of a box; the template is chosen by them.
fn targets(spec: &BoxSpec, trees: &Trees) -> Vec<Target> {
    let mut targets: Vec<Target> = trees.mounts.iter().map(|(_, target)| target.clone()).collect();
    targets.retain(|(path, _)| !super::layout::is_below(path, &spec.workdir));
    targets.push((spec.workdir.clone(), true));
    targets.sort();
    targets.dedup();
    targets
}
