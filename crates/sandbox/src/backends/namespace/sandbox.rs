//! The controller's handle of one box.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::Signal;

use super::capture::{self, Ended};
use super::client::{Client, Keeper, NewBox};
use super::protocol::{BoxReply, BoxRequest, Channel};
use super::streams::Pipes;
use super::unlock::unlocking;
use super::{beneath, changes};
use crate::{Captured, Change, Command, Outcome, Output, Refused, Sandbox, SandboxError, SandboxSpec};

/// How long a killed box may take to be gone.
const DEATH: Duration = Duration::from_secs(20);

/// A sandbox of this backend.
pub(super) struct NamespaceSandbox {
    /// Its end would be the end of the box.
    client: Arc<Client>,
    spec: SandboxSpec,
    process: OwnedFd,
    /// Until the sandbox is destroyed: what a frozen one has on disk still counts as memory of the keeper's group.
    keeper: Option<Keeper>,
    state: State,
}

enum State {
    Live { channel: Channel, view: View },
    Frozen(View),
    Destroyed,
}

/// Directories of the box, which stay readable after its death.
struct View {
    workdir: OwnedFd,
    upper: OwnedFd,
}

impl NamespaceSandbox {
    /// Waits until a new box is ready.
    pub(super) fn attach(client: Arc<Client>, spec: &SandboxSpec, new: NewBox) -> Result<Self, SandboxError> {
        let NewBox { process, channel, keeper } = new;
        let view = match receive(&channel)? {
            (BoxReply::Ready, descriptors) => {
                let [workdir, upper] = super::process::exactly(descriptors)?;
                View { workdir, upper }
            }
            (BoxReply::Failed(failure), _) => return Err(failure.into()),
            (other, _) => return Err(unexpected(&other)),
        };
        let state = State::Live { channel, view };
        let keeper = Some(keeper);
        Ok(Self { client, spec: spec.clone(), process, keeper, state })
    }

    fn live(&self) -> Result<&Channel, SandboxError> {
        match &self.state {
            State::Live { channel, .. } => Ok(channel),
            State::Frozen(_) => Err(SandboxError::Lost("it is frozen; nothing runs in it any more".into())),
            State::Destroyed => Err(destroyed()),
        }
    }

    fn view(&self) -> Result<&View, SandboxError> {
        match &self.state {
            State::Live { view, .. } | State::Frozen(view) => Ok(view),
            State::Destroyed => Err(destroyed()),
        }
    }

    /// Kills PID 1, and with it everything, and waits until all of it is gone.
    fn kill(&self) -> Result<(), SandboxError> {
        match rustix::process::pidfd_send_signal(&self.process, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(SandboxError::system("kill a sandbox", error)),
        }
        let mut watched = [PollFd::new(&self.process, PollFlags::IN)];
        let timeout = DEATH.try_into().expect("the time is short");
        loop {
            match rustix::event::poll(&mut watched, Some(&timeout)) {
                Ok(0) => return Err(SandboxError::Lost("its processes did not die".into())),
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(SandboxError::system("wait for the end of a sandbox", error)),
            }
        }
    }

    fn open_layers(&self) -> Result<Vec<OwnedFd>, SandboxError> {
        let open = |path: &PathBuf| {
            rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| SandboxError::system(format!("open the layer {}", path.display()), error))
        };
        self.spec.layers.iter().map(open).collect()
    }
}

impl Sandbox for NamespaceSandbox {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        let ended = capture::run(self.live()?, &self.spec, command, Pipes::new()?);
        let out_of_memory = self.keeper.as_mut().is_some_and(Keeper::out_of_memory);
        match ended {
            Ok(Ended { mut output, reported }) => {
                if out_of_memory && !output.outcome.success() && output.outcome != Outcome::TimedOut {
                    output.outcome = Outcome::OutOfMemory;
                }
                if !reported {
                    self.kill()?;
                }
                Ok(output)
            }
            Err(error) => {
                // Answers would be taken for those of the next command.
                self.kill()?;
                if out_of_memory { Ok(nothing_left()) } else { Err(error) }
            }
        }
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        let failed = |error| file_error(path, error);
        let root = &self.view()?.workdir;
        let (file, _locks) = unlocking(root, path, || beneath::read(root, path)).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut bytes = Vec::new();
        if size <= max_bytes {
            file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        }
        // It may have grown meanwhile.
        let size = size.max(bytes.len() as u64);
        if size > max_bytes {
            return Err(SandboxError::TooLarge { path: path.into(), size, max: max_bytes });
        }
        Ok(bytes)
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        let channel = self.live()?;
        let request = BoxRequest::Write { path: path.into(), length: bytes.len() as u64 };
        channel.send(&request, &[]).and_then(|()| channel.send_bytes(bytes)).map_err(|error| lost(&error))?;
        match receive(channel)? {
            (BoxReply::Written(None), _) => Ok(()),
            (BoxReply::Written(Some(failure)), _) => {
                Err(file_error(path, std::io::Error::from_raw_os_error(failure.errno)))
            }
            (other, _) => Err(unexpected(&other)),
        }
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        if matches!(self.state, State::Destroyed) {
            return Err(destroyed());
        }
        self.kill()?;
        self.state = match std::mem::replace(&mut self.state, State::Destroyed) {
            State::Live { view, .. } | State::Frozen(view) => State::Frozen(view),
            State::Destroyed => State::Destroyed,
        };
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        changes::list(&self.view()?.upper, self.open_layers()?)
            .map_err(|error| SandboxError::system("list the changes of a sandbox", error))
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        if matches!(self.state, State::Destroyed) {
            return Ok(());
        }
        self.kill()?;
        self.state = State::Destroyed;
        if let Some(keeper) = self.keeper.take() {
            self.client.give_back(keeper);
        }
        Ok(())
    }
}

impl Drop for NamespaceSandbox {
    fn drop(&mut self) {
        // A box that survives this dies with the channel or with the spawner.
        let _ = self.destroy();
    }
}

/// The next answer of a box.
pub(super) fn receive(channel: &Channel) -> Result<(BoxReply, Vec<OwnedFd>), SandboxError> {
    match channel.receive() {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) => Err(SandboxError::Lost("it ended".into())),
        Err(error) => Err(lost(&error)),
    }
}

/// The connection to a box failed.
pub(super) fn lost(error: &std::io::Error) -> SandboxError {
    SandboxError::Lost(format!("the connection broke: {error}"))
}

/// A box said something that was not asked for.
pub(super) fn unexpected(reply: &BoxReply) -> SandboxError {
    SandboxError::Lost(format!("it answered {reply:?} out of turn"))
}

/// What is known when the box itself was a victim of its memory limit.
fn nothing_left() -> Output {
    let nothing = Captured::default;
    let (stdout, stderr, report) = (nothing(), nothing(), nothing());
    Output {
        outcome: Outcome::OutOfMemory,
        stdout,
        stderr,
        report,
        refused: Refused::default(),
        duration: Duration::ZERO,
    }
}

fn destroyed() -> SandboxError {
    SandboxError::Lost("it was destroyed".into())
}

fn file_error(path: &str, error: std::io::Error) -> SandboxError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => SandboxError::NotFound(path.into()),
        _ if beneath::is_refusal(&error) => SandboxError::NotRegular(path.into()),
        _ => SandboxError::system(format!("access `{path}` in a sandbox"), error),
    }
}
