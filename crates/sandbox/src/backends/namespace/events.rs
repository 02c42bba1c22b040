//! What spawner and keepers wait for.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::de::DeserializeOwned;

use super::protocol::{Channel, Doing, Failure};
use super::sys;

/// Something that happened.
pub(super) enum Event<T> {
    /// The controller wants something; beside it: descriptors.
    Request(T, Vec<OwnedFd>),
    /// This child ended and was collected.
    Ended(i32),
    /// The controller closed its end or is dead.
    Alone,
}

/// Whether nobody at the other end wants anything or is gone.
pub(super) fn is_quiet(control: &Channel) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(control, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready == 0)
}

/// Waits for the next event.
pub(super) fn next<T: DeserializeOwned>(
    control: &Channel,
    controller: &OwnedFd,
    children: &OwnedFd,
) -> Result<Event<T>, Failure> {
    loop {
        let mut watched = [
            PollFd::new(control, PollFlags::IN),
            PollFd::new(controller, PollFlags::IN),
            PollFd::new(children, PollFlags::IN),
        ];
        match rustix::event::poll(&mut watched, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::new("wait for requests", &error.into())),
        }
        let [request, dead, signals] = watched.map(|fd| !fd.revents().is_empty());
        if signals {
            // Looking for ended children takes time in proportion to all of them, so it is done only after a signal, which
            // stays until there are none: one signal may stand for many.
            let ended = sys::reap().or_else(|| {
                sys::drain(children);
                sys::reap()
            });
            if let Some((pid, _)) = ended {
                return Ok(Event::Ended(pid));
            }
        } else if request {
            let request = control.receive().doing(|| "read a request".into())?;
            return Ok(request.map_or(Event::Alone, |(request, descriptors)| Event::Request(request, descriptors)));
        } else if dead {
            return Ok(Event::Alone);
        }
    }
}
