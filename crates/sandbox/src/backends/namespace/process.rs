//! The spawner as the controller sees it: a child process with a connection.

use std::os::fd::OwnedFd;
use std::process::Child;

use super::entry;
use super::groups::{Controller, Place};
use super::lease::Lease;
use super::protocol::{BoxSpec, Channel, Failure, SpawnerReply, SpawnerRequest};
use crate::SandboxError;

/// A running spawner. Dropping it ends it, its keepers and their boxes.
pub(super) struct Spawner {
    /// Taken when dropped, so that the spawner sees the end before it is waited for.
    control: Option<Channel>,
    process: Child,
}

impl Spawner {
    /// Starts this program again, which [`entry`] turns into a spawner before `main`. There are control groups for those of
    /// `controllers` for which they could be made.
    pub(super) fn start(lease: &Lease, controllers: &[Controller]) -> Result<(Self, Vec<Place>), SandboxError> {
        let failed = |error| SandboxError::system("start the sandbox spawner", error);
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        let names = controllers.iter().map(|controller| controller.name().to_owned());
        let arguments = std::iter::once(lease.to_string()).chain(names);
        let process = entry::start(entry::NAME, arguments, theirs.into_fd()).map_err(failed)?;
        let spawner = Self { control: Some(ours), process };
        match spawner.receive()? {
            (SpawnerReply::Hello { groups }, _) => Ok((spawner, groups)),
            (SpawnerReply::Failed(failure), _) => Err(SandboxError::Unavailable {
                backend: super::backend::NAME,
                reason: format!("the spawner could not {}", failure.text()),
            }),
            (SpawnerReply::Grown { .. }, _) => Err(out_of_turn()),
        }
    }

    /// Has a keeper forked that is ready for boxes like `spec`: its process and the connection to it.
    pub(super) fn grow(&self, spec: &BoxSpec) -> Result<(i32, Channel), SandboxError> {
        let request = SpawnerRequest::Grow { targets: spec.targets() };
        let lost = |error| SandboxError::Lost(format!("the spawner is gone: {error}"));
        self.control().send(&request, &[]).map_err(lost)?;
        match self.receive()? {
            (SpawnerReply::Grown { pid }, descriptors) => {
                let [control] = exactly(descriptors)?;
                Ok((pid, Channel::new(control)))
            }
            (SpawnerReply::Failed(failure), _) => Err(failure.into()),
            (SpawnerReply::Hello { .. }, _) => Err(out_of_turn()),
        }
    }

    fn control(&self) -> &Channel {
        self.control.as_ref().expect("taken only when dropped")
    }

    fn receive(&self) -> Result<(SpawnerReply, Vec<OwnedFd>), SandboxError> {
        match self.control().receive() {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(SandboxError::Lost("the spawner ended".into())),
            Err(error) => Err(SandboxError::Lost(format!("the spawner stopped answering: {error}"))),
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.control = None;
        // It can only fail if somebody else collected the process.
        let _ = self.process.wait();
    }
}

/// The descriptors that must come with an answer; the kernel drops them when this process may open no more.
pub(in crate::backends) fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; N], SandboxError> {
    let missing = |_| SandboxError::Lost("descriptors did not arrive (raise the limit of open files)".into());
    descriptors.try_into().map_err(missing)
}

fn out_of_turn() -> SandboxError {
    SandboxError::Lost("the spawner answered out of turn".into())
}

impl Failure {
    /// What failed and why, to follow `could not`.
    pub(super) fn text(&self) -> String {
        format!("{}: {}", self.what, std::io::Error::from_raw_os_error(self.errno))
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        let source = std::io::Error::from_raw_os_error(failure.errno);
        match failure.path {
            Some(path) => Self::Spec { path, reason: format!("could not {}: {source}", failure.what) },
            None => Self::System { what: failure.what, source },
        }
    }
}
