//! Host directories on their way into a box.

use std::os::fd::OwnedFd;

use super::protocol::{BoxSpec, Failure};

/// Detached mounts, in the order of the specification.
pub(super) struct Trees {
    pub(super) root: Vec<OwnedFd>,
    pub(super) layers: Vec<OwnedFd>,
    pub(super) mounts: Vec<OwnedFd>,
}

impl Trees {
    /// All of them, in the order in which they are sent.
    pub(super) fn each(&self) -> impl Iterator<Item = &OwnedFd> {
        self.root.iter().chain(&self.layers).chain(&self.mounts)
    }

    /// How many `spec` needs.
    pub(super) fn count(spec: &BoxSpec) -> usize {
        spec.root.len() + spec.layers.len() + spec.mounts.len()
    }

    /// Those of `spec`, as they were sent.
    pub(super) fn of(spec: &BoxSpec, mut sent: Vec<OwnedFd>) -> Result<Self, Failure> {
        if sent.len() != Self::count(spec) {
            // The kernel drops them where there is no room for them.
            let missing = std::io::Error::from_raw_os_error(libc::EMFILE);
            return Err(Failure::new("take over the mounts of a box", &missing));
        }
        let mounts = sent.split_off(spec.root.len() + spec.layers.len());
        let layers = sent.split_off(spec.root.len());
        Ok(Self { root: sent, layers, mounts })
    }
}
