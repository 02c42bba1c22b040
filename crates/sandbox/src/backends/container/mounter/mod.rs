//! Mounts into containers what their engine cannot.
//!
//! A small process of its own, because entering namespaces needs one with a single thread. As root it acts with root's rights;
//! otherwise it enters the user namespace of the user's own engine, in which it has all rights that it needs.

mod build;
mod install;
mod process;

pub(super) use process::enter;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::SandboxError;
use crate::backends::namespace::entry;
use crate::backends::namespace::process::exactly;
use crate::backends::namespace::protocol::{BoxMount, Channel, Failure};

/// `argv[0]` of the mounter.
const NAME: &str = "basis-sandbox-mounter";

/// What is mounted into one container.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mounts {
    /// Layers of a root of its own, if it has one.
    pub(super) root: Vec<PathBuf>,
    pub(super) layers: Vec<PathBuf>,
    pub(super) workdir: String,
    pub(super) mounts: Vec<BoxMount>,
    /// Bytes and names of all files that the container may write.
    pub(super) disk_bytes: u64,
    pub(super) files: u64,
    /// The user and group of the container, as this machine numbers them.
    pub(super) owner: (u32, u32),
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    /// Beside it: the working directory, and the tmpfs that holds all that is written.
    Mounted,
    Failed(Failure),
}

/// The running process. Dropping it ends it; what it mounted stays in the containers.
pub(super) struct Mounter {
    /// Taken when dropped, so that the process sees the end before it is waited for.
    control: Option<Mutex<Channel>>,
    process: Child,
}

impl Mounter {
    pub(super) fn start() -> Result<Self, SandboxError> {
        let failed = |error| SandboxError::system("start the mounter of containers", error);
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        let process = entry::start(NAME, [], theirs.into_fd()).map_err(failed)?;
        Ok(Self { control: Some(Mutex::new(ours)), process })
    }

    /// Mounts into the container whose first process is `process`: its working directory and its tmpfs.
    pub(super) fn mount(&self, process: i32, mounts: &Mounts) -> Result<[OwnedFd; 2], SandboxError> {
        let open = |kind: &str| {
            let path = format!("/proc/{process}/ns/{kind}");
            File::open(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::PermissionDenied => super::engine::unavailable(
                    "the engine runs as another user than this program, which therefore may not mount into its containers; run as root, \
                     or use an engine of your own (rootless Podman or Docker)"
                        .into(),
                ),
                _ => SandboxError::system(format!("open {path}"), error),
            })
        };
        let (user, mount) = (open("user")?, open("mnt")?);
        let lost = |error| SandboxError::Lost(format!("the mounter stopped answering: {error}"));
        let control = self.control.as_ref().expect("taken only when dropped").lock();
        let control = control.unwrap_or_else(PoisonError::into_inner);
        control.send(mounts, &[user.as_fd(), mount.as_fd()]).map_err(lost)?;
        match control.receive().map_err(lost)? {
            Some((Reply::Mounted, descriptors)) => exactly(descriptors),
            Some((Reply::Failed(failure), _)) => Err(failure.into()),
            None => Err(SandboxError::Lost("the mounter ended".into())),
        }
    }
}

impl Drop for Mounter {
    fn drop(&mut self) {
        self.control = None;
        // It can only fail if somebody else collected the process.
        let _ = self.process.wait();
    }
}
