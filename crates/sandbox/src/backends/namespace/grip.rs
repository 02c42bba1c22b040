//! The descriptors with which a box is reached from outside.
//!
//! Ordinarily the controller holds them. Where so many sandboxes stand there that their descriptors come near to the limit, those of
//! new ones are *parked* with whoever made them, a keeper for example, and lent for each use.

use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::process::{Resource, Signal, getrlimit};

use super::client::Ground;
use super::{beneath, layout};
use crate::SandboxError;

/// Descriptors that a sandbox costs the controller at most: those here, the connection to it and that to its keeper.
const EACH: u64 = 5;
/// How long a killed box may take to be gone.
const DEATH: Duration = Duration::from_secs(20);

/// Directories of a box, which stay readable after its death.
pub(super) struct View {
    pub(super) workdir: OwnedFd,
    /// The tmpfs with all that was written.
    pub(super) stage: OwnedFd,
}

impl View {
    /// The upper side of the working directory.
    pub(super) fn upper(&self) -> std::io::Result<OwnedFd> {
        beneath::open(&self.stage, layout::UPPER, OFlags::PATH | OFlags::DIRECTORY)
    }
}

/// Who holds the descriptors of one box.
pub(super) struct Grip {
    held: Held,
    _counted: Counted,
}

enum Held {
    Here { process: OwnedFd, view: View },
    Parked,
}

impl Grip {
    /// Holds them, or parks them if there are many sandboxes.
    pub(super) fn new(process: OwnedFd, view: View, ground: &dyn Ground) -> Result<Self, SandboxError> {
        let counted = Counted::new();
        let descriptors = [process.as_fd(), view.workdir.as_fd(), view.stage.as_fd()];
        let parked = counted.is_one_of_many() && ground.park(descriptors)?;
        let held = if parked { Held::Parked } else { Held::Here { process, view } };
        Ok(Self { held, _counted: counted })
    }

    /// The directories of the box.
    pub(super) fn view(&self, ground: &dyn Ground) -> Result<Seen<'_>, SandboxError> {
        match &self.held {
            Held::Here { view, .. } => Ok(Seen::Here(view)),
            Held::Parked => ground.lend().map(|[workdir, stage]| Seen::Lent(View { workdir, stage })),
        }
    }

    /// Kills PID 1, and with it everything, and waits until all of it is gone.
    pub(super) fn kill(&self, ground: &dyn Ground) -> Result<(), SandboxError> {
        match &self.held {
            Held::Here { process, .. } => kill(process).map_err(|error| SandboxError::system("kill a sandbox", error)),
            // Without a descriptor more, because there may be none.
            Held::Parked => ground.kill(),
        }
    }
}

/// A view, for one use.
pub(super) enum Seen<'a> {
    Here(&'a View),
    Lent(View),
}

impl Deref for Seen<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        match self {
            Self::Here(view) => view,
            Self::Lent(view) => view,
        }
    }
}

/// Kills a process, which must be the first one of its pid namespace, and waits until all of that is gone.
pub(super) fn kill(process: &OwnedFd) -> std::io::Result<()> {
    match rustix::process::pidfd_send_signal(process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error.into()),
    }
    let mut watched = [PollFd::new(process, PollFlags::IN)];
    let timeout = DEATH.try_into().expect("the time is short");
    loop {
        match rustix::event::poll(&mut watched, Some(&timeout)) {
            // Something of it hangs in the kernel.
            Ok(0) => return Err(std::io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One of the sandboxes of this process, of which [`COUNT`] are alive.
struct Counted {
    number: u64,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Counted {
    fn new() -> Self {
        Self { number: COUNT.fetch_add(1, Ordering::Relaxed) }
    }

    /// Whether the descriptors of all sandboxes up to this one may take half of those that there may be.
    fn is_one_of_many(&self) -> bool {
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.number.saturating_mul(EACH) >= most / 2
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}
