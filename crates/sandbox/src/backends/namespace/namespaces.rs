//! The namespaces of a box that nothing in a specification concerns: net, ipc, uts and cgroup.
//!
//! They take a third of the time that a box takes, the network more than all others. A keeper moves into fresh ones, and its next box
//! is born in them. They belong to the keeper's user namespace: the box has no rights over them, not even before it drops its
//! capabilities. A keeper does nothing in them itself, and commands of two boxes are never in the same ones.

use super::protocol::{Doing, Failure};
use super::sys;

/// Moves this process into fresh namespaces with the host name and the network of a box.
pub(super) fn renew() -> Result<(), Failure> {
    let all = libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
    sys::unshare(all).doing(|| "make net, ipc, uts and cgroup namespaces".into())?;
    rustix::system::sethostname(b"sandbox").doing(|| "set the host name".into())?;
    sys::loopback_up().doing(|| "bring up the loopback interface".into())
}
