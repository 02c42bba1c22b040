//! Limits by control groups, version 2 or 1, where this process may make them: of memory, processes and processor time.
//!
//! One parent group per backend instance and hierarchy, in it one child per keeper. The parents are called like the [`Lease`], so
//! that groups of processes that were killed can be told from live ones. The spawner makes them, because it outlives the
//! controller: there is no moment at which the death of the controller could leave a group behind.

mod controller;
mod place;
mod tree;

pub(super) use controller::Controller;
pub(super) use place::Place;
pub(super) use tree::{all, remove_all};

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use controller::Version;

use super::lease::Lease;
use super::protocol::Watch;
use crate::Limits;

/// The groups of one backend; none where none can be made. Dropping it removes them.
pub(super) struct Groups {
    places: Vec<Place>,
    next: AtomicU64,
}

/// The group of one box in each hierarchy. Dropping it removes them, which needs its processes to be gone.
///
/// A group of version 1 that limits memory is only made when the box is first used. Until then nothing but our own code runs in it. The
/// kernel keeps a number in each such group for each file system of the machine, so that those of thousands that wait would weigh more than
/// all the rest of them, and each would take longer to make than the one before.
pub(super) struct Group {
    /// The process that makes the boxes.
    keeper: i32,
    seats: Vec<Seat>,
    /// To be made at the first use.
    later: Option<Seat>,
    kills: u64,
    refusals: u64,
    limits: Option<Limits>,
}

/// The group for one controller.
struct Seat {
    controller: Controller,
    version: Version,
    directory: PathBuf,
}

impl Groups {
    /// Makes a parent group for each of `controllers` for which that is possible.
    pub(super) fn open(lease: &Lease, controllers: &[Controller]) -> Self {
        Self::at(controllers.iter().filter_map(|controller| Place::open(lease, *controller)).collect())
    }

    /// The groups that the spawner made.
    pub(super) fn at(places: Vec<Place>) -> Self {
        Self { places, next: AtomicU64::new(0) }
    }

    /// Where they are.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// What they limit.
    pub(super) fn controllers(&self) -> Vec<Controller> {
        self.places.iter().map(|place| place.controller).collect()
    }

    /// Whether they limit this.
    pub(super) fn keep(&self, controller: Controller) -> bool {
        self.places.iter().any(|place| place.controller == controller)
    }

    /// What they leave to the boxes themselves.
    pub(super) fn leave(&self) -> Watch {
        Watch { memory: !self.keep(Controller::Memory), processes: !self.keep(Controller::Processes) }
    }

    /// Where the groups of boxes for this are made, if they are of version 1.
    #[cfg(test)]
    pub(super) fn parent_of_version_one(&self, controller: Controller) -> Option<PathBuf> {
        let mut places = self.places.iter();
        places
            .find(|place| place.controller == controller && place.version == Version::One)
            .map(|place| place.parent.clone())
    }

    /// How they limit this, in words.
    pub(super) fn describe(&self, controller: Controller) -> Option<&'static str> {
        let place = self.places.iter().find(|place| place.controller == controller)?;
        Some(match place.version {
            Version::One => "a version 1 control group for each sandbox",
            Version::Two => "a version 2 control group for each sandbox",
        })
    }

    /// Removes the parents with all their children, whose processes must be gone.
    pub(super) fn remove(&self) {
        self.places.iter().for_each(|place| remove_all(&place.parent));
    }

    /// Puts a process, and whatever it will start, into a group of its own, which can limit processors if `processors`.
    ///
    /// Not every box is in such a group: there, its share of the machine would no longer depend on the priority of the user's
    /// processes.
    pub(super) fn add(&self, pid: i32, processors: bool) -> io::Result<Group> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let wanted = self.places.iter().filter(|place| processors || place.controller != Controller::Processors);
        let seat = |place: &Place| Seat {
            controller: place.controller,
            version: place.version,
            directory: place.parent.join(&name),
        };
        let can_wait = |seat: &Seat| {
            seat.controller == Controller::Memory && seat.version == Version::One && children_of(pid).is_ok()
        };
        let (later, seats): (Vec<Seat>, Vec<Seat>) = wanted.map(seat).partition(can_wait);
        let later = later.into_iter().next();
        let group = Group { keeper: pid, seats, later, kills: 0, refusals: 0, limits: None };
        group.seats.iter().try_for_each(|seat| seat.take([pid]))?;
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The processes that this one has started and not collected.
fn children_of(pid: i32) -> io::Result<Vec<i32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

impl Seat {
    /// Makes the group and moves these processes into it.
    fn take(&self, pids: impl IntoIterator<Item = i32>) -> io::Result<()> {
        match fs::create_dir(&self.directory) {
            // Controllers of version 2 share it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let procs = self.directory.join("cgroup.procs");
        pids.into_iter().try_for_each(|pid| match fs::write(&procs, pid.to_string()) {
            // It has ended, which whoever needs it is told by its silence.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            written => written,
        })
    }
}

impl Group {
    /// Has all limits hold from now on. Called before anything happens in a box that may use much.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let Some(seat) = &self.later else { return Ok(()) };
        // The box is the only child of its keeper, which does nothing while it has one: neither can start a process now.
        seat.take([vec![self.keeper], children_of(self.keeper)?].concat())?;
        self.limits.iter().try_for_each(|limits| seat.controller.limit(seat.version, &seat.directory, limits))?;
        self.seats.extend(self.later.take());
        Ok(())
    }

    /// Whether it is for boxes with such limits.
    pub(super) fn fits(&self, limits: &Limits) -> bool {
        limits.millicpus.is_some() == self.seats.iter().any(|seat| seat.controller == Controller::Processors)
    }

    /// Whether the kernel killed a process for lack of memory since this was last asked.
    pub(super) fn killed(&mut self) -> bool {
        let count = self.count(Controller::Memory);
        count > std::mem::replace(&mut self.kills, count)
    }

    /// Whether the kernel refused another process since this was last asked.
    pub(super) fn refused(&mut self) -> bool {
        let count = self.count(Controller::Processes);
        count > std::mem::replace(&mut self.refusals, count)
    }

    /// How often the limit of this was enforced.
    fn count(&self, controller: Controller) -> u64 {
        let Some(seat) = self.seats.iter().find(|seat| seat.controller == controller) else { return 0 };
        let Some((file, name)) = controller.counter(seat.version) else { return 0 };
        let text = fs::read_to_string(seat.directory.join(file)).unwrap_or_default();
        let mut counts = text.lines().filter_map(|line| line.split_once(' '));
        counts.find(|(known, _)| *known == name).and_then(|(_, count)| count.trim().parse().ok()).unwrap_or(0)
    }

    /// Sets the limits for all processes of the group together.
    pub(super) fn limit(&mut self, limits: &Limits) -> io::Result<()> {
        if self.limits.as_ref() != Some(limits) {
            // One that is made later gets them then.
            self.seats.iter().try_for_each(|seat| seat.controller.limit(seat.version, &seat.directory, limits))?;
            self.limits = Some(limits.clone());
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last one may have been made in part.
        self.seats.iter().chain(&self.later).for_each(|seat| tree::remove(&seat.directory));
    }
}
