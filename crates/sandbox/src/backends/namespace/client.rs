//! The controller's end of the spawner: starts it, asks it for boxes, starts another if it dies.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::entry;
use super::groups::{Group, Groups};
use super::protocol::{BoxSpec, Channel, Failure, SpawnerReply};
use crate::SandboxError;

/// A spawner that can be asked from any thread. Dropping it ends the spawner and every box.
pub(super) struct Client {
    /// Before the groups, which can be removed when it has ended.
    spawner: Mutex<Option<Spawner>>,
    groups: Option<Groups>,
}

/// A box that is still setting itself up.
pub(super) struct NewBox {
    pub(super) process: OwnedFd,
    pub(super) channel: Channel,
    /// Its memory limit, unless it keeps that itself.
    pub(super) group: Option<Group>,
}

struct Spawner {
    /// Taken when dropped, so that the spawner sees the end before it is waited for.
    control: Option<Channel>,
    process: Child,
}

impl Client {
    pub(super) fn start(groups: Option<Groups>) -> Result<Self, SandboxError> {
        let spawner = Spawner::start(groups.as_ref())?;
        Ok(Self { spawner: Mutex::new(Some(spawner)), groups })
    }

    /// The control groups that limit memory; without them every box watches itself.
    pub(super) fn groups(&self) -> Option<&Groups> {
        self.groups.as_ref()
    }

    /// A new box under its memory limit.
    pub(super) fn create(&self, spec: &BoxSpec) -> Result<NewBox, SandboxError> {
        let (pid, process, channel) = self.request(spec)?;
        // While the box sets itself up: moving a process to a group can take ten milliseconds.
        let add = |groups: &Groups| groups.add(pid, spec.limits.memory_bytes);
        let group = self.groups.as_ref().map(add).transpose();
        let group = group.map_err(|error| SandboxError::system("limit the memory of a sandbox", error))?;
        Ok(NewBox { process, channel, group })
    }

    fn request(&self, spec: &BoxSpec) -> Result<(i32, OwnedFd, Channel), SandboxError> {
        let mut spawner = self.spawner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = spawner.as_ref() {
            match running.create(spec) {
                Err(SandboxError::Lost(_)) => *spawner = None,
                other => return other,
            }
        }
        let created = Spawner::start(self.groups.as_ref()).and_then(|started| spawner.insert(started).create(spec));
        if matches!(created, Err(SandboxError::Lost(_))) {
            *spawner = None;
        }
        created
    }
}

impl Spawner {
    fn start(groups: Option<&Groups>) -> Result<Self, SandboxError> {
        let failed = |error| SandboxError::system("start the sandbox spawner", error);
        entry::keep();
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        let process = Command::new("/proc/self/exe")
            .arg0(entry::NAME)
            .arg(groups.map_or(Path::new(""), Groups::directory))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let spawner = Self { control: Some(ours), process };
        match spawner.receive()? {
            (SpawnerReply::Hello, _) => Ok(spawner),
            (SpawnerReply::Failed(failure), _) => Err(SandboxError::Unavailable {
                backend: super::backend::NAME,
                reason: format!("the spawner could not {}", failure.text()),
            }),
            (SpawnerReply::Created { .. }, _) => {
                Err(SandboxError::Lost("the spawner answered before it was asked".into()))
            }
        }
    }

    fn control(&self) -> &Channel {
        self.control.as_ref().expect("taken only when dropped")
    }

    fn create(&self, spec: &BoxSpec) -> Result<(i32, OwnedFd, Channel), SandboxError> {
        self.control().send(spec, &[]).map_err(|error| SandboxError::Lost(format!("the spawner is gone: {error}")))?;
        match self.receive()? {
            (SpawnerReply::Created { pid }, descriptors) => {
                let [pidfd, channel] = <[OwnedFd; 2]>::try_from(descriptors)
                    .map_err(|_| SandboxError::Lost("the spawner sent no descriptors (too many open files?)".into()))?;
                Ok((pid, pidfd, Channel::new(channel)))
            }
            (SpawnerReply::Failed(failure), _) => Err(failure.into()),
            (SpawnerReply::Hello, _) => Err(SandboxError::Lost("the spawner answered out of turn".into())),
        }
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
