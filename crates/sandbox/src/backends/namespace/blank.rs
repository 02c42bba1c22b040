//! A box without a specification yet.
//!
//! Most of what makes a box is the same for all of them: its namespaces, its identity, its `/proc`, its tmpfs. So a keeper makes the
//! next one when a box has gone, and tells it what to be when somebody asks for it. Until then it runs code of ours only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::protocol::{BoxRequest, BoxSpec, Channel, DESCRIPTORS, Doing, Failure};
use super::setup::Born;
use super::sys::{self, Cloned};
use super::syscalls::Filter;
use super::template::{Target, Templates};
use super::trees::Trees;
use super::userns::{self, Owner};
use super::{grip, init};

/// A first process that waits to be told what to be. Dropping it ends it.
pub(super) struct Blank {
    /// The mount points of its root.
    targets: Vec<Target>,
    process: OwnedFd,
    channel: Channel,
}

impl Blank {
    /// Clones one inside the template for `targets`, with `host` as its identity.
    pub(super) fn new(
        templates: &mut Templates,
        targets: Vec<Target>,
        host: Owner,
        filter: &Filter,
        born: Born,
    ) -> Result<Self, Failure> {
        let (ours, theirs) = Channel::pair().doing(|| "make a socket pair".into())?;
        let namespaces = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
        // The child must never come back here: it would leave the template for the host's view.
        let clone = || match sys::clone(namespaces)? {
            Cloned::Child => init::run(filter, born, theirs),
            Cloned::Parent { pid, pidfd } => Ok::<_, std::io::Error>((pid, pidfd)),
        };
        let (pid, process) = templates.inside(&targets, clone)?.doing(|| "clone a box".into())?;
        let blank = Self { targets, process, channel: ours };
        userns::write_maps(pid, (userns::INSIDE, userns::INSIDE), host)?;
        blank.say(&BoxRequest::Start, &[])?;
        Ok(blank)
    }

    /// Whether its root has these mount points.
    pub(super) fn has(&self, targets: &[Target]) -> bool {
        self.targets == targets
    }

    /// Has it become the box of `spec`: the process and the connection to it.
    pub(super) fn become_box(self, spec: &BoxSpec, trees: &Trees) -> Result<(OwnedFd, Channel), Failure> {
        let all: Vec<BorrowedFd<'_>> = trees.each().map(AsFd::as_fd).collect();
        let mut parts = all.chunks(DESCRIPTORS);
        self.say(&BoxRequest::Begin(Box::new(spec.clone())), parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| self.say(&BoxRequest::More, part))?;
        Ok((self.process, self.channel))
    }

    /// Ends it and waits until it is gone, so that it does not count as a process of the next one.
    pub(super) fn discard(self) -> Result<(), Failure> {
        grip::kill(&self.process).doing(|| "kill a box".into())
    }

    fn say(&self, request: &BoxRequest, descriptors: &[BorrowedFd<'_>]) -> Result<(), Failure> {
        self.channel.send(request, descriptors).doing(|| "start a box".into())
    }
}
