//! Frames between controller, spawner, keepers and boxes: a length, a JSON header, and descriptors beside it.
//!
//! Both ends are always the same executable, so the format has no version. A box is not trusted: what it says only
//! decides what is believed about that box.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::entries::Entry;
use super::groups::Place;
use super::layout::is_below;
use super::template::Target;
use crate::Limits;

/// What a box is made of, checked by the controller.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::backends) struct BoxSpec {
    /// Layers of a root of its own, if it has one.
    pub(in crate::backends) root: Vec<PathBuf>,
    pub(in crate::backends) layers: Vec<PathBuf>,
    pub(in crate::backends) workdir: String,
    pub(in crate::backends) mounts: Vec<BoxMount>,
    pub(in crate::backends) limits: Limits,
    pub(in crate::backends) watch: Watch,
    /// Whether it is given files before it is shown the layers.
    pub(in crate::backends) filled: bool,
}

/// What a box has to look at itself, because no control group does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::backends) struct Watch {
    /// Keep the limit of memory.
    pub(in crate::backends) memory: bool,
    /// Notice that a process was one too many.
    pub(in crate::backends) processes: bool,
}

/// A host directory or file shown read-only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::backends) struct BoxMount {
    pub(in crate::backends) source: PathBuf,
    pub(in crate::backends) target: Target,
}

impl BoxSpec {
    /// The mount points that the template must have.
    pub(super) fn targets(&self) -> Vec<Target> {
        if !self.root.is_empty() {
            return Vec::new();
        }
        let mounts = self.mounts.iter().map(|mount| mount.target.clone());
        let outside = mounts.filter(|(path, _)| !is_below(path, &self.workdir));
        let mut targets: Vec<Target> = outside.chain([(self.workdir.clone(), true)]).collect();
        targets.sort();
        targets
    }
}

/// Controller to spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SpawnerRequest {
    /// Fork a keeper that is ready for boxes with these mount points.
    Grow { targets: Vec<Target> },
}

/// Spawner to controller.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SpawnerReply {
    /// First message: requests are welcome.
    Hello {
        /// The control groups that were wanted and could be made.
        groups: Vec<Place>,
    },
    /// Beside it: the channel to the new keeper.
    Grown {
        pid: i32,
    },
    Failed(Failure),
}

/// Controller to keeper. Each one but the last is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum KeeperRequest {
    /// Make a box. Beside the answer: its pidfd and the channel to it.
    Create(Box<BoxSpec>),
    /// Hold descriptors of the box: its pidfd, its working directory and its tmpfs.
    Hold,
    /// Give the last two of them. Beside the answer: both.
    Lend,
    /// Kill the box whose descriptors are held, and wait until it is gone.
    Kill,
    /// Let go of the descriptors that are held.
    Forget,
    /// The box is gone and nobody needs another one at once: make ahead what can be.
    Prepare,
}

/// Keeper to controller.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum KeeperReply {
    Done,
    Failed(Failure),
}

/// Controller to box; the first ones come from its keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::backends) enum BoxRequest {
    /// The identity maps are written.
    Start,
    /// Become this box. Beside it: what it mounts, unless that is done already, as in a container.
    Begin(Box<BoxSpec>),
    /// Beside it: more of what it mounts.
    More,
    /// Beside it: stdin, stdout, stderr and, if wanted, the report channel.
    Execute { argv: Vec<String>, env: BTreeMap<String, String>, cwd: Option<String> },
    /// Start the shell. Beside it: stdout, stderr, what it reads lines from and writes statuses to.
    OpenShell { env: BTreeMap<String, String> },
    /// Kill everything that runs.
    Kill,
    /// Send the command, or what the shell runs now, the signal of Ctrl-C.
    Interrupt { shell: bool },
    /// Say whether another process is one too many.
    Count,
    /// Listen at a free port of the loopback interface.
    Listen,
    /// Say whether something lives that is no file.
    Rest,
    /// Stop everything that runs where it is, or let it go on.
    Halt(bool),
    /// Make a file below the root of the tmpfs, while the box is filled; beside it: its bytes, if it has any.
    Make(Entry),
    /// There are no more files to make.
    Filled,
    /// Followed by this many bytes.
    Write { path: String, length: u64 },
}

/// Box to controller.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum BoxReply {
    /// Files may be made.
    Empty,
    /// All files are made.
    Full,
    /// Beside it: the working directory and the tmpfs.
    Ready,
    /// The wait status of the command, whether the box killed it for its memory, and whether processes ran short.
    Exited {
        status: i32,
        out_of_memory: bool,
        crowded: bool,
    },
    ShellOpened,
    /// Comes unasked.
    ShellEnded {
        status: i32,
        out_of_memory: bool,
    },
    Counted {
        crowded: bool,
    },
    Rested {
        at_rest: bool,
    },
    Halted,
    /// Beside it: the socket, which nothing in the box holds.
    Listening,
    Written(Option<Failure>),
    Failed(Failure),
}

/// A failed system call on the other side.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::backends) struct Failure {
    pub(in crate::backends) what: String,
    pub(in crate::backends) errno: i32,
    /// The path of the specification that is to blame.
    pub(in crate::backends) path: Option<PathBuf>,
}

/// How many descriptors there may be beside one message.
pub(super) const DESCRIPTORS: usize = 32;

/// One end of a connection.
#[derive(Debug)]
pub(in crate::backends) struct Channel(OwnedFd);

impl Channel {
    pub(in crate::backends) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    pub(in crate::backends) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    pub(in crate::backends) fn into_fd(self) -> OwnedFd {
        self.0
    }

    pub(in crate::backends) fn send<T: Serialize>(
        &self,
        message: &T,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let body = serde_json::to_vec(message)?;
        let mut frame = Vec::with_capacity(body.len() + 4);
        frame.extend_from_slice(&u32::try_from(body.len()).map_err(io::Error::other)?.to_le_bytes());
        frame.extend_from_slice(&body);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(
                ancillary.push(SendAncillaryMessage::ScmRights(descriptors)),
                "at most so many descriptors a frame"
            );
        }
        let sent =
            retry(|| rustix::net::sendmsg(&self.0, &[IoSlice::new(&frame)], &mut ancillary, SendFlags::NOSIGNAL))?;
        self.send_bytes(&frame[sent..])
    }

    pub(in crate::backends) fn send_bytes(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = retry(|| rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// The next message, or `None` when the other end is gone.
    pub(in crate::backends) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut header = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = retry(|| {
            let mut parts = [IoSliceMut::new(&mut header)];
            rustix::net::recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        })
        .map(|message| message.bytes);
        let received = match received {
            Ok(0) => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(None),
            other => other?,
        };
        let descriptors = ancillary.drain().filter_map(rights).flatten().collect();
        self.receive_bytes(&mut header[received..])?;
        let mut body = vec![0; u32::from_le_bytes(header) as usize];
        self.receive_bytes(&mut body)?;
        Ok(Some((serde_json::from_slice(&body)?, descriptors)))
    }

    pub(in crate::backends) fn receive_bytes(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let (received, _) = retry(|| rustix::net::recv(&self.0, &mut *buffer, RecvFlags::empty()))?;
            if received == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[received..];
        }
        Ok(())
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn rights(message: RecvAncillaryMessage<'_>) -> Option<impl Iterator<Item = OwnedFd>> {
    match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

impl Failure {
    pub(in crate::backends) fn new(what: impl Into<String>, error: &io::Error) -> Self {
        Self { what: what.into(), errno: error.raw_os_error().unwrap_or(libc::EIO), path: None }
    }
}

/// Adds what was being done to a failed system call.
pub(in crate::backends) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(what(), &error.into()))
    }
}

impl Failure {
    /// Blames a path of the specification.
    pub(in crate::backends) fn about(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }
}
