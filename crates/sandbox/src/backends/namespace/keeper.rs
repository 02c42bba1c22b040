//! A keeper: the parent of one box at a time.
//!
//! It sits in the control group of its boxes, so that they are born there: moving a process into a group makes the
//! kernel wait for about ten milliseconds, and this happens once a keeper instead of once a box.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::process::Signal;

use super::blank::Blank;
use super::events::{self, Event};
use super::protocol::{BoxSpec, Channel, Doing, Failure, KeeperReply, KeeperRequest};
use super::setup::Born;
use super::syscalls::Filter;
use super::template::{self, Target, Templates};
use super::trees::Trees;
use super::userns::{Identities, Maps, Owner};
use super::{grip, namespaces, sys};

/// Serves the controller on `control` until it is gone; `open` are descriptors of the spawner that it must not hold.
pub(super) fn run(
    control: Channel,
    open: &[BorrowedFd<'_>],
    controller: &OwnedFd,
    templates: &mut Templates,
    identities: &Identities,
    slot: u32,
    filter: &Filter,
) -> ! {
    sys::close_foreign(open);
    let served = start().and_then(|children| {
        let (host, mapped) = (identities.host(slot), identities.are_mapped());
        let (maps, held, last) = (Maps::default(), Vec::new(), Vec::new());
        let (blank, is_fresh) = (None, false);
        Keeper { control, controller, children, templates, maps, host, mapped, filter, held, last, blank, is_fresh }
            .serve()
    });
    // What runs below dies with this process.
    sys::exit(i32::from(served.is_err()))
}

/// Binds the keeper to the spawner.
fn start() -> Result<OwnedFd, Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "bind to the spawner".into())?;
    sys::child_signals().doing(|| "watch children".into())
}

struct Keeper<'a> {
    control: Channel,
    controller: &'a OwnedFd,
    children: OwnedFd,
    templates: &'a mut Templates,
    maps: Maps,
    /// The host id of its boxes.
    host: Owner,
    /// Whether host directories have to be shown as owned by that id.
    mapped: bool,
    /// What its boxes may ask of the kernel.
    filter: &'a Filter,
    /// Of the box, in place of the controller: its pidfd, its working directory and its tmpfs.
    held: Vec<OwnedFd>,
    /// The mount points of the last box, which are probably those of the next one.
    last: Vec<Target>,
    /// The next box, if it was made ahead.
    blank: Option<Blank>,
    /// Whether it is in namespaces that nothing ran in.
    is_fresh: bool,
}

impl Keeper<'_> {
    fn serve(mut self) -> Result<(), Failure> {
        loop {
            match events::next::<KeeperRequest>(&self.control, self.controller, &self.children)? {
                Event::Request(request, descriptors) => self.answer(request, descriptors),
                Event::Ended(_) => {}
                Event::Alone => return Ok(()),
            }
        }
    }

    /// Makes for the next box what can be made ahead, unless somebody waits.
    fn prepare(&mut self) {
        if self.blank.is_none() && events::is_quiet(&self.control) {
            // What fails now is tried again when it is needed, and told then.
            self.blank = self.make(self.last.clone()).ok();
        }
    }

    fn answer(&mut self, request: KeeperRequest, descriptors: Vec<OwnedFd>) {
        let done = match request {
            KeeperRequest::Create(spec) => {
                self.held.clear();
                self.create(&spec).map(|(pidfd, channel)| vec![pidfd, channel.into_fd()])
            }
            KeeperRequest::Hold => {
                self.held = descriptors;
                // They are dropped where there is no room for them.
                if self.held.len() == 3 { Ok(Vec::new()) } else { Err(lacking("hold descriptors of a box")) }
            }
            KeeperRequest::Lend => return self.lend(),
            KeeperRequest::Prepare => return self.prepare(),
            KeeperRequest::Kill => self.kill(),
            KeeperRequest::Forget => {
                self.held.clear();
                Ok(Vec::new())
            }
        };
        match done {
            Ok(descriptors) => self.say(&KeeperReply::Done, &descriptors),
            Err(failure) => self.say(&KeeperReply::Failed(failure), &[]),
        }
    }

    fn say(&self, reply: &KeeperReply, descriptors: &[OwnedFd]) {
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        // Whoever does not hear this is gone, which the next look shows.
        let _ = self.control.send(reply, &descriptors);
    }

    fn lend(&self) {
        match self.held.get(1..) {
            Some(view) => self.say(&KeeperReply::Done, view),
            None => self.say(&KeeperReply::Failed(lacking("lend descriptors of a box")), &[]),
        }
    }

    fn kill(&self) -> Result<Vec<OwnedFd>, Failure> {
        let process = self.held.first().ok_or_else(|| lacking("kill a box"))?;
        grip::kill(process).map(|()| Vec::new()).doing(|| "kill a box".into())
    }

    fn create(&mut self, spec: &BoxSpec) -> Result<(OwnedFd, Channel), Failure> {
        let targets = spec.targets();
        let trees = self.open_trees(spec)?;
        if let Some(blank) = self.blank.take() {
            if !blank.has(&targets) {
                blank.discard()?;
            } else if let Ok(made) = self.hand_out(blank, spec, &trees) {
                return Ok(made);
            }
            // It died while it waited; the next one is new.
        }
        let blank = self.make(targets)?;
        self.hand_out(blank, spec, &trees)
    }

    fn make(&mut self, targets: Vec<Target>) -> Result<Blank, Failure> {
        self.is_fresh = self.is_fresh || namespaces::renew().is_ok();
        // Without the rights for it the box makes its own.
        let born = if self.is_fresh { Born::Inside } else { Born::Outside };
        Blank::new(self.templates, targets, self.host, self.filter, born)
    }

    fn hand_out(&mut self, blank: Blank, spec: &BoxSpec, trees: &Trees) -> Result<(OwnedFd, Channel), Failure> {
        self.is_fresh = false;
        self.last = spec.targets();
        blank.become_box(spec, trees)
    }

    fn open_trees(&mut self, spec: &BoxSpec) -> Result<Trees, Failure> {
        let mut trees = Trees { root: Vec::new(), layers: Vec::new(), mounts: Vec::new() };
        for layer in &spec.root {
            trees.root.push(self.open_tree(layer, 0).map_err(|failure| failure.about(layer))?);
        }
        for layer in &spec.layers {
            trees.layers.push(self.open_tree(layer, 0).map_err(|failure| failure.about(layer))?);
        }
        for mount in &spec.mounts {
            let tree = self.open_tree(&mount.source, template::READ_ONLY);
            trees.mounts.push(tree.map_err(|failure| failure.about(&mount.source))?);
        }
        Ok(trees)
    }

    fn open_tree(&mut self, path: &Path, attributes: u64) -> Result<OwnedFd, Failure> {
        if !self.mapped {
            // What is mounted below cannot be left out by an ordinary user.
            let tree = template::clone_tree(path, true)?;
            if attributes != 0 {
                sys::set_mount_attributes(&tree, attributes, None, true).doing(|| "make read-only".into())?;
            }
            return Ok(tree);
        }
        let tree = template::clone_tree(path, false)?;
        let data = rustix::fs::fstat(&tree).doing(|| "read the owner".into())?;
        let map = self.maps.get((data.st_uid, data.st_gid), self.host)?;
        sys::set_mount_attributes(&tree, attributes, Some(map), false)
            .doing(|| "id-map (the file system must support it)".into())?;
        Ok(tree)
    }
}

/// The descriptors that are needed for this are not there.
fn lacking(what: &str) -> Failure {
    Failure::new(what, &std::io::Error::from_raw_os_error(libc::EBADF))
}
