//! The spawner: one thread, little memory, which forks keepers and ends with its controller.
//!
//! Forking a controller with gigabytes of memory takes a tenth of a second; forking the spawner does not. Everything
//! below it dies with it (parent-death signals), and it ends when the controller closes its end or dies in any way.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::events::{self, Event};
use super::protocol::{Channel, Doing, Failure, SpawnerReply, SpawnerRequest};
use super::template::{Target, Templates};
use super::userns::{Identities, become_mount_owner};
use super::{groups, keeper, sys};

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
    templates: Templates,
    /// Slot of each live keeper, by process.
    slots: HashMap<i32, u32>,
    groups: Option<PathBuf>,
}

impl Spawner {
    fn start(groups: &[u8]) -> Result<Self, Failure> {
        rustix::process::setsid().doing(|| "start a session".into())?;
        // Whatever outlives its keeper for a moment is collected here. Any number means yes.
        rustix::process::set_child_subreaper(Some(Pid::INIT)).doing(|| "become the parent of orphans".into())?;
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
        Ok(Self { controller, children, identities, templates, slots: HashMap::new(), groups })
    }

    fn serve(&mut self, control: &Channel) -> Result<(), Failure> {
        // Whoever does not hear this is gone, which the next look shows; the same holds for every answer.
        let _ = control.send(&SpawnerReply::Hello, &[]);
        loop {
            match events::next(control, &self.controller, &self.children)? {
                Event::Request(SpawnerRequest::Grow { targets }) => self.answer(control, &targets),
                Event::Ended(pid) => drop(self.slots.remove(&pid)),
                Event::Alone => return Ok(()),
            }
        }
    }

    fn answer(&mut self, control: &Channel, targets: &[Target]) {
        let _ = match self.grow(control, targets) {
            Ok((pid, keeper)) => control.send(&SpawnerReply::Grown { pid }, &[keeper.as_fd()]),
            Err(failure) => control.send(&SpawnerReply::Failed(failure), &[]),
        };
    }

    /// Forks a keeper, which inherits the template for `targets` and all earlier ones.
    fn grow(&mut self, control: &Channel, targets: &[Target]) -> Result<(i32, Channel), Failure> {
        let slot = self.free_slot()?;
        self.templates.inside(targets, || ())?;
        let (ours, theirs) = Channel::pair().doing(|| "make a socket pair".into())?;
        match sys::fork().doing(|| "fork a keeper".into())? {
            Some(pid) => {
                self.slots.insert(pid, slot);
                Ok((pid, ours))
            }
            None => {
                let open = [control.as_fd(), ours.as_fd()];
                keeper::run(theirs, &open, &self.controller, &mut self.templates, &self.identities, slot)
            }
        }
    }

    fn free_slot(&self) -> Result<u32, Failure> {
        const SLOTS: u32 = 4096;
        let used: std::collections::HashSet<u32> = self.slots.values().copied().collect();
        let full =
            || Failure::new(format!("no more than {SLOTS} sandboxes at once"), &std::io::ErrorKind::Other.into());
        (0..SLOTS).find(|slot| !used.contains(slot)).ok_or_else(full)
    }

    /// Kills every keeper and thereby every box, waits until all are gone, and removes their control groups.
    fn end(&mut self) {
        for pid in self.slots.keys().filter_map(|pid| Pid::from_raw(*pid)) {
            // Not collected yet, so the number is still its own.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        // Boxes become children of this process when their keepers are gone.
        while !sys::childless() {
            sys::wait_any();
        }
        if let Some(groups) = &self.groups {
            groups::remove_tree(groups);
        }
    }
}
