//! The spawner: one thread, little memory, which forks keepers and ends with its controller.
//!
//! Forking a controller with gigabytes of memory takes a tenth of a second; forking the spawner does not. Everything
//! below it dies with it (parent-death signals), and it ends when the controller closes its end or dies in any way.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::events::{self, Event};
use super::groups::{Controller, Groups};
use super::lease::Lease;
use super::protocol::{Channel, Doing, Failure, SpawnerReply, SpawnerRequest};
use super::syscalls::Filter;
use super::template::{Target, Templates};
use super::userns::{Identities, SLOTS, become_mount_owner};
use super::{keeper, sys};
use crate::backends::processes;

/// Serves the controller until it is gone; then removes its control groups, which it makes for `controllers` where it can.
pub(super) fn run(control: OwnedFd, lease: &Lease, controllers: Vec<Controller>) -> ! {
    let control = Channel::new(control);
    let failure = match Spawner::start(lease, &controllers) {
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
    /// Slots of keepers that ended.
    free: Vec<u32>,
    groups: Groups,
    filter: Filter,
}

impl Spawner {
    fn start(lease: &Lease, controllers: &[Controller]) -> Result<Self, Failure> {
        rustix::process::setsid().doing(|| "start a session".into())?;
        // Once for all commands of all boxes: whoever started the controller may have had some ignored.
        sys::reset_signals();
        // Whatever outlives its keeper for a moment is collected here. Any number means yes.
        rustix::process::set_child_subreaper(Some(Pid::INIT)).doing(|| "become the parent of orphans".into())?;
        let parent = rustix::process::getppid().unwrap_or(Pid::INIT);
        let controller =
            rustix::process::pidfd_open(parent, PidfdFlags::empty()).doing(|| "watch the controller".into())?;
        // As the user that the controller is: afterwards there may be no right to make them.
        let groups = Groups::open(lease, controllers);
        let identities = Identities::of_this_process();
        match identities {
            Identities::Many { .. } => {
                rustix::thread::set_thread_groups(&[]).doing(|| "drop supplementary groups".into())?;
            }
            Identities::One { user, group } => become_mount_owner(user, group)?,
        }
        let children = sys::child_signals().doing(|| "watch children".into())?;
        let templates = Templates::new()?;
        let (slots, free, filter) = (HashMap::new(), Vec::new(), Filter::new());
        rustix::thread::set_no_new_privs(true).doing(|| "set no_new_privs".into())?;
        filter.install_first()?;
        Ok(Self { controller, children, identities, templates, slots, free, groups, filter })
    }

    fn serve(&mut self, control: &Channel) -> Result<(), Failure> {
        // Whoever does not hear this is gone, which the next look shows; the same holds for every answer.
        let groups = self.groups.places().to_vec();
        let _ = control.send(&SpawnerReply::Hello { groups }, &[]);
        loop {
            match events::next(control, &self.controller, &self.children)? {
                Event::Request(SpawnerRequest::Grow { targets }, _) => self.answer(control, &targets),
                Event::Ended(pid) => self.ended(pid),
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
        let grown = self.fork_keeper(control, targets, slot);
        match &grown {
            Ok((pid, _)) => drop(self.slots.insert(*pid, slot)),
            Err(_) => self.free.push(slot),
        }
        grown
    }

    fn fork_keeper(&mut self, control: &Channel, targets: &[Target], slot: u32) -> Result<(i32, Channel), Failure> {
        self.templates.inside(targets, || ())?;
        let (ours, theirs) = Channel::pair().doing(|| "make a socket pair".into())?;
        match sys::fork().doing(|| "fork a keeper".into())? {
            Some(pid) => Ok((pid, ours)),
            None => {
                let open = [control.as_fd(), ours.as_fd()];
                keeper::run(theirs, &open, &self.controller, &mut self.templates, &self.identities, slot, &self.filter)
            }
        }
    }

    fn free_slot(&mut self) -> Result<u32, Failure> {
        let full =
            || Failure::new(format!("have more than {SLOTS} sandboxes at once"), &std::io::ErrorKind::Other.into());
        if let Some(slot) = self.free.pop() {
            return Ok(slot);
        }
        // Those that are in use or free are the first ones.
        let next = self.slots.len() as u32;
        if next < SLOTS { Ok(next) } else { Err(full()) }
    }

    fn ended(&mut self, pid: i32) {
        self.free.extend(self.slots.remove(&pid));
    }

    /// Kills every keeper and thereby every box, waits until all are gone, and removes their control groups.
    fn end(&mut self) {
        // What a keeper was just making when it died becomes a child of this process, and may not be bound to anything yet.
        while !sys::childless() {
            for pid in children() {
                // Not collected yet, so the number is still its own.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            sys::wait_any();
        }
        self.groups.remove();
    }
}

/// The children of this process.
fn children() -> Vec<Pid> {
    let own = std::process::id();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| processes::parent(*pid) == Some(own)).filter_map(|pid| Pid::from_raw(pid as i32)).collect()
}
