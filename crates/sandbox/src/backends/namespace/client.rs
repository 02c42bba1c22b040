//! The controller's end: starts the spawner, has keepers forked, reuses them, starts anew what dies.

use std::cell::Cell;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::groups::{Controller, Group, Groups};
use super::lease::Lease;
use super::process::Spawner;
use super::protocol::{BoxSpec, Channel, KeeperReply, KeeperRequest};
use super::template::Target;
use crate::{SandboxError, SandboxSpec};

/// Makes boxes; can be asked from any thread. Dropping it ends the spawner and every box.
pub(super) struct Client {
    // In this order: the end of the spawner ends all keepers at once, and then nothing is in the groups.
    spawner: Mutex<Option<Spawner>>,
    idle: Mutex<Vec<Keeper>>,
    groups: Groups,
    lease: Lease,
}

/// The controller's end of a keeper. Dropping it ends the keeper and its box.
pub(super) struct Keeper {
    control: Channel,
    /// Whether it holds descriptors of its box.
    holds: Cell<bool>,
    /// The mount points of its last box, for which it is prepared.
    targets: Vec<Target>,
    group: Group,
}

/// A box that is still setting itself up.
pub(in crate::backends) struct NewBox {
    pub(in crate::backends) process: OwnedFd,
    pub(in crate::backends) channel: Channel,
    /// Working directory and tmpfs, if somebody better than the box itself says which they are.
    pub(in crate::backends) view: Option<[OwnedFd; 2]>,
    pub(in crate::backends) ground: Box<dyn Ground>,
}

/// What a box stands on: who made it and counts what it uses.
pub(in crate::backends) trait Ground: Send {
    /// Has all limits hold. Called before the box starts a command or is given files.
    fn settle(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }

    /// Whether the kernel killed a process of the box for lack of memory since this was last asked.
    fn out_of_memory(&mut self) -> bool;

    /// Whether the kernel refused a process of the box another one since this was last asked, where it counts that.
    fn short_of_processes(&mut self) -> bool {
        false
    }

    /// Another box of the same specification, which waits to be given files.
    fn another(&self, spec: &SandboxSpec) -> Result<NewBox, SandboxError>;

    /// Gives everything back, now that no process of the box is left.
    fn end(self: Box<Self>) -> Result<(), SandboxError>;

    /// Takes the descriptors of the box over (process, working directory, tmpfs), so that this process need not hold them; `false`
    /// where nobody can.
    fn park(&self, descriptors: [BorrowedFd<'_>; 3]) -> Result<bool, SandboxError> {
        let _ = descriptors;
        Ok(false)
    }

    /// Working directory and tmpfs of a box whose descriptors were taken.
    fn lend(&self) -> Result<[OwnedFd; 2], SandboxError> {
        Err(SandboxError::Lost("nobody holds its descriptors".into()))
    }

    /// Kills a box whose descriptors were taken, and waits until all of it is gone.
    fn kill(&self) -> Result<(), SandboxError> {
        Err(SandboxError::Lost("nobody holds its descriptors".into()))
    }
}

/// A keeper, and whoever takes it back.
struct Kept {
    client: Arc<Client>,
    keeper: Keeper,
}

impl Ground for Kept {
    fn settle(&mut self) -> Result<(), SandboxError> {
        self.keeper.group.settle().map_err(unlimited)
    }

    fn out_of_memory(&mut self) -> bool {
        self.keeper.out_of_memory()
    }

    fn short_of_processes(&mut self) -> bool {
        self.keeper.group.refused()
    }

    fn another(&self, spec: &SandboxSpec) -> Result<NewBox, SandboxError> {
        let mut checked = super::backend::check(spec, self.client.groups().leave())?;
        checked.filled = true;
        let mut new = self.client.create(&checked)?;
        new.ground.settle()?;
        Ok(new)
    }

    fn end(self: Box<Self>) -> Result<(), SandboxError> {
        let Self { client, keeper } = *self;
        if keeper.holds.take() {
            // The tmpfs goes with the last descriptor.
            keeper.ask(&KeeperRequest::Forget, &[])?;
        }
        client.give_back(keeper);
        Ok(())
    }

    fn park(&self, descriptors: [BorrowedFd<'_>; 3]) -> Result<bool, SandboxError> {
        self.keeper.ask(&KeeperRequest::Hold, &descriptors)?;
        self.keeper.holds.set(true);
        Ok(true)
    }

    fn lend(&self) -> Result<[OwnedFd; 2], SandboxError> {
        super::process::exactly(self.keeper.ask(&KeeperRequest::Lend, &[])?)
    }

    fn kill(&self) -> Result<(), SandboxError> {
        self.keeper.ask(&KeeperRequest::Kill, &[]).map(drop)
    }
}

impl Client {
    /// A client with a spawner, and with control groups for those of `controllers` for which they can be made.
    pub(super) fn start(controllers: &[Controller]) -> Result<Self, SandboxError> {
        let missing = || SandboxError::system("read `/proc/self/stat` (mount /proc)", std::io::ErrorKind::NotFound);
        let lease = Lease::of_this_process().ok_or_else(missing)?;
        let (spawner, places) = Spawner::start(&lease, controllers)?;
        Ok(Self { spawner: Mutex::new(Some(spawner)), idle: Mutex::default(), groups: Groups::at(places), lease })
    }

    /// The control groups; without those that limit memory every box watches itself.
    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// A new box under its limits.
    pub(super) fn create(self: &Arc<Self>, spec: &BoxSpec) -> Result<NewBox, SandboxError> {
        loop {
            let idle = self.take_idle(spec);
            let reused = idle.is_some();
            let mut keeper = idle.map_or_else(|| self.grow(spec), Ok)?;
            match keeper.create(spec) {
                Ok((process, channel)) => {
                    let ground = Box::new(Kept { client: self.clone(), keeper });
                    return Ok(NewBox { process, channel, view: None, ground });
                }
                // It died while it was idle; the next one may live, and in the end there is a new one.
                Err(SandboxError::Lost(_)) if reused => {}
                Err(error) => {
                    self.give_back(keeper);
                    return Err(error);
                }
            }
        }
    }

    /// Takes a keeper whose box is gone.
    pub(super) fn give_back(&self, keeper: Keeper) {
        const KEPT: usize = 256;
        // A box that waits weighs as much as an idle sandbox.
        const PREPARED: usize = 64;
        let mut idle = lock(&self.idle);
        if idle.len() < PREPARED {
            keeper.prepare();
        }
        if idle.len() < KEPT {
            idle.push(keeper);
        }
    }

    /// A keeper without a box, whose group is for such limits; rather one that is prepared for such a box, and the one that has had the most
    /// time for that.
    fn take_idle(&self, spec: &BoxSpec) -> Option<Keeper> {
        let targets = spec.targets();
        let fits = |keeper: &Keeper| keeper.group.fits(&spec.limits);
        let mut idle = lock(&self.idle);
        let prepared = idle.iter().position(|keeper| fits(keeper) && keeper.targets == targets);
        let fitting = prepared.or_else(|| idle.iter().position(fits))?;
        Some(idle.remove(fitting))
    }

    fn grow(&self, spec: &BoxSpec) -> Result<Keeper, SandboxError> {
        let (pid, control) = self.fork_keeper(spec)?;
        let group = self.groups.add(pid, spec.limits.millicpus.is_some());
        let group = group.map_err(|error| SandboxError::system("make a control group for a sandbox", error))?;
        Ok(Keeper { control, holds: Cell::new(false), targets: spec.targets(), group })
    }

    fn fork_keeper(&self, spec: &BoxSpec) -> Result<(i32, Channel), SandboxError> {
        let mut spawner = lock(&self.spawner);
        if let Some(running) = spawner.as_ref() {
            match running.grow(spec) {
                Err(SandboxError::Lost(_)) => *spawner = None,
                other => return other,
            }
        }
        let started = Spawner::start(&self.lease, &self.groups.controllers());
        let grown = started.and_then(|(started, _)| spawner.insert(started).grow(spec));
        if matches!(grown, Err(SandboxError::Lost(_))) {
            *spawner = None;
        }
        grown
    }
}

impl Keeper {
    /// Whether the kernel killed a process of the box for lack of memory since this was last asked.
    pub(super) fn out_of_memory(&mut self) -> bool {
        self.group.killed()
    }

    fn create(&mut self, spec: &BoxSpec) -> Result<(OwnedFd, Channel), SandboxError> {
        let limited = self.group.limit(&spec.limits);
        limited.map_err(unlimited)?;
        self.targets = spec.targets();
        let [process, channel] =
            super::process::exactly(self.ask(&KeeperRequest::Create(Box::new(spec.clone())), &[])?)?;
        Ok((process, Channel::new(channel)))
    }

    /// Has it make ahead what its next box needs.
    fn prepare(&self) {
        // One that is gone is noticed when it is needed.
        let _ = self.control.send(&KeeperRequest::Prepare, &[]);
    }

    /// The descriptors that come with the answer.
    fn ask(&self, request: &KeeperRequest, descriptors: &[BorrowedFd<'_>]) -> Result<Vec<OwnedFd>, SandboxError> {
        let lost = |error| SandboxError::Lost(format!("its keeper stopped answering: {error}"));
        self.control.send(request, descriptors).map_err(lost)?;
        match self.control.receive().map_err(lost)? {
            Some((KeeperReply::Done, descriptors)) => Ok(descriptors),
            Some((KeeperReply::Failed(failure), _)) => Err(failure.into()),
            None => Err(SandboxError::Lost("its keeper ended".into())),
        }
    }
}

/// A group did not take a limit or a process.
fn unlimited(error: std::io::Error) -> SandboxError {
    SandboxError::system("limit a sandbox by its control group", error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
