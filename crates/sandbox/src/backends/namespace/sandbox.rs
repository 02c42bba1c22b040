//! The controller's handle of one box.

use std::io::Read;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::EventfdFlags;
use rustix::fs::{CWD, Mode, OFlags};

use super::capture::{self, Ended, Ends, Surroundings};
use super::client::{Ground, NewBox};
use super::grip::{Grip, Seen, View};
use super::protocol::{BoxReply, BoxRequest, Failure};
use super::shell::Shell;
use super::streams::{Feed, Pipes, Stream};
use super::unlock::{self, unlocking};
use super::wire::{Wire, lost, unexpected};
use super::{beneath, changes, entries, fork, standing};
use crate::{
    Captured, Change, Command, Interrupter, Outcome, Output, Refused, Sandbox, SandboxError, SandboxSpec, ShellLine,
    ShellOutput, Sink, Standing,
};

/// A sandbox: a box, whoever made it.
pub(in crate::backends) struct BoxSandbox {
    spec: SandboxSpec,
    grip: Grip,
    /// Until the sandbox is destroyed: what a frozen one has on disk still counts as its memory.
    ground: Option<Box<dyn Ground>>,
    state: State,
    /// Made when somebody first wants to interrupt.
    interrupt: OnceLock<Arc<OwnedFd>>,
}

enum State {
    Live { wire: Wire, shell: Option<Shell> },
    Frozen,
    Destroyed,
}

impl BoxSandbox {
    /// Waits until a new box is ready that is given no files.
    pub(in crate::backends) fn over(spec: &SandboxSpec, new: NewBox) -> Result<Self, SandboxError> {
        Self::attach(spec, new, |_| Ok(()))
    }

    /// Waits until a new box is ready; `fill` gives it files first, if its specification says so.
    fn attach(
        spec: &SandboxSpec,
        new: NewBox,
        fill: impl FnOnce(&Wire) -> Result<(), SandboxError>,
    ) -> Result<Self, SandboxError> {
        let NewBox { process, channel, view, ground } = new;
        let wire = Wire::new(channel);
        let mut answer = wire.next()?;
        if matches!(answer.0, BoxReply::Empty) {
            fill(&wire)?;
            answer = wire.next()?;
        }
        let view = match answer {
            (BoxReply::Ready, descriptors) => {
                let [workdir, stage] = view.map_or_else(|| super::process::exactly(descriptors), Ok)?;
                View { workdir, stage }
            }
            (BoxReply::Failed(failure), _) => return Err(failure.into()),
            (other, _) => return Err(unexpected(&other)),
        };
        let state = State::Live { wire, shell: None };
        let grip = Grip::new(process, view, ground.as_ref())?;
        let (ground, interrupt) = (Some(ground), OnceLock::new());
        Ok(Self { spec: spec.clone(), grip, ground, state, interrupt })
    }

    fn wire(&self) -> Result<&Wire, SandboxError> {
        match &self.state {
            State::Live { wire, .. } => Ok(wire),
            State::Frozen => Err(SandboxError::Lost("it is frozen; nothing runs in it any more".into())),
            State::Destroyed => Err(destroyed()),
        }
    }

    /// Has all limits hold, before the box starts a command or is given files.
    fn settle(&mut self) -> Result<(), SandboxError> {
        self.wire()?;
        self.ground.as_mut().ok_or_else(destroyed)?.settle()
    }

    /// What may be used of a shell that is still there.
    fn take_shell(&mut self) -> Result<Option<Shell>, SandboxError> {
        match &mut self.state {
            State::Live { wire, shell, .. } => {
                let shell = shell.take();
                Ok(if wire.shell_ended()? { None } else { shell })
            }
            _ => self.wire().map(|_| None),
        }
    }

    /// Whoever interrupted earlier meant an earlier command. Called before a command is started: as soon as it runs, somebody may
    /// interrupt it.
    fn forget_interrupts(&self) {
        if let Some(event) = self.interrupt.get() {
            let mut count = [0; 8];
            // It is of the kind that does not block.
            let _ = rustix::io::read(event.as_ref(), &mut count);
        }
    }

    /// Follows what was started to its end and settles what became of the box.
    fn follow<'a>(
        &mut self,
        ends: Ends<'a>,
        start: Instant,
        wall: Option<Duration>,
        sink: Sink<'_>,
    ) -> Result<Ended<'a>, SandboxError> {
        let followed = {
            let (wire, view) = (self.wire()?, self.view()?);
            let interrupt = self.interrupt.get().map(Arc::as_ref);
            let around = Surroundings { wire, spec: &self.spec, stage: &view.stage, interrupt, sink };
            capture::follow(around, ends, start, wall)
        };
        let ground = self.ground.as_mut();
        let (out_of_memory, crowded) =
            ground.map_or((false, false), |ground| (ground.out_of_memory(), ground.short_of_processes()));
        match followed {
            Ok(mut ended) => {
                ended.output.refused.processes |= crowded;
                let outcome = ended.output.outcome;
                if out_of_memory && matches!(outcome, Outcome::Exited(1..) | Outcome::Signalled(_)) {
                    ended.output.outcome = Outcome::OutOfMemory;
                }
                if !ended.reported {
                    self.kill()?;
                }
                Ok(ended)
            }
            Err(error) => {
                // Answers would be taken for those of the next command.
                self.kill()?;
                if out_of_memory { Ok(nothing_left()) } else { Err(error) }
            }
        }
    }

    /// Runs `action` while nothing in the box moves.
    fn halted<T>(&self, action: impl FnOnce(&View) -> Result<T, SandboxError>) -> Result<T, SandboxError> {
        let view = self.view()?;
        let State::Live { wire, .. } = &self.state else { return action(&view) };
        let halt = |halt| {
            wire.send(&BoxRequest::Halt(halt)).map_err(|error| lost(&error))?;
            match wire.answer()? {
                (BoxReply::Halted, _) => Ok(()),
                (other, _) => Err(unexpected(&other)),
            }
        };
        halt(true)?;
        let result = action(&view);
        halt(false)?;
        result
    }

    fn view(&self) -> Result<Seen<'_>, SandboxError> {
        self.grip.view(self.ground.as_deref().ok_or_else(destroyed)?)
    }

    /// Kills everything, and waits until all of it is gone.
    fn kill(&self) -> Result<(), SandboxError> {
        self.grip.kill(self.ground.as_deref().ok_or_else(destroyed)?)
    }

    fn open_layers(&self) -> Result<Vec<OwnedFd>, SandboxError> {
        let open = |path: &PathBuf| {
            rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| SandboxError::system(format!("open the layer {}", path.display()), error))
        };
        self.spec.layers.iter().map(open).collect()
    }
}

impl Sandbox for BoxSandbox {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        self.exec_streaming(command, &mut |_, _| ())
    }

    fn exec_streaming(&mut self, command: &Command, sink: Sink<'_>) -> Result<Output, SandboxError> {
        let mut env = self.spec.env.clone();
        env.extend(command.env.clone());
        let request = BoxRequest::Execute { argv: command.argv.clone(), env, cwd: command.cwd.clone() };
        self.settle()?;
        let wire = self.wire()?;
        let Pipes { input, outputs, inside } = Pipes::new()?;
        let count = if command.report { 4 } else { 3 };
        self.forget_interrupts();
        let start = Instant::now();
        let sent = wire.send_with(&request, &inside.each_ref().map(AsFd::as_fd)[..count]);
        // Held here, the other ends would keep the streams open after the end of the command.
        let [stdin, stdout, stderr, report] = inside;
        drop((stdout, stderr, report));
        let ends =
            Ends { stdin: Feed::new(input, stdin, &command.stdin), streams: outputs.map(Stream::new), status: None };
        if let Err(error) = sent {
            self.kill()?;
            return Err(lost(&error));
        }
        Ok(self.follow(ends, start, command.wall, sink)?.output)
    }

    fn shell(&mut self, line: &ShellLine, sink: Sink<'_>) -> Result<ShellOutput, SandboxError> {
        if line.text.contains('\0') {
            let reason = "a line for the shell must not contain a NUL character".into();
            return Err(SandboxError::Spec { path: "line".into(), reason });
        }
        let known = self.take_shell()?;
        let fresh = known.is_none();
        let shell = match known {
            Some(shell) => shell,
            None => {
                self.settle()?;
                Shell::open(self.wire()?, &self.spec)?
            }
        };
        let text = [line.text.as_bytes(), b"\0"].concat();
        self.forget_interrupts();
        let (ends, start) = shell.start(&text);
        let ended = self.follow(ends, start, line.wall, sink)?;
        let (mut output, reported, lives) = Shell::after(ended);
        if let State::Live { wire, shell, .. } = &mut self.state {
            *shell = lives;
            if reported && !output.outcome.success() {
                output.refused.processes |= count(wire)?;
            }
        }
        Ok(ShellOutput { output, fresh })
    }

    fn interrupter(&self) -> Result<Interrupter, SandboxError> {
        let event = match self.interrupt.get() {
            Some(event) => event.clone(),
            None => {
                let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
                let made = rustix::event::eventfd(0, flags);
                let made = made.map_err(|error| SandboxError::system("make an event descriptor", error))?;
                self.interrupt.get_or_init(|| Arc::new(made)).clone()
            }
        };
        Ok(Interrupter::new(move || match rustix::io::write(&event, &1_u64.to_ne_bytes()) {
            Ok(_) => Ok(()),
            Err(error) => Err(SandboxError::system("interrupt a sandbox", error)),
        }))
    }

    fn listen(&mut self) -> Result<TcpListener, SandboxError> {
        let wire = self.wire()?;
        wire.send(&BoxRequest::Listen).map_err(|error| lost(&error))?;
        match wire.answer()? {
            (BoxReply::Listening, descriptors) => {
                let [socket] = super::process::exactly(descriptors)?;
                Ok(TcpListener::from(socket))
            }
            (BoxReply::Failed(failure), _) => Err(failure.into()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        let failed = |error| file_error(path, error);
        let view = self.view()?;
        let root = &view.workdir;
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
        self.settle()?;
        let (wire, view) = (self.wire()?, self.view()?);
        let denied = match ask_to_write(wire, path, bytes)? {
            Some(failure) if failure.errno == libc::EACCES => failure,
            Some(failure) => return Err(file_error(path, std::io::Error::from_raw_os_error(failure.errno))),
            None => return Ok(()),
        };
        // A box without capabilities is bound by the modes that its commands set.
        let _locks = unlock::for_writing(&view.workdir, path)
            .map_err(|_| file_error(path, std::io::Error::from_raw_os_error(denied.errno)))?;
        match ask_to_write(wire, path, bytes)? {
            Some(failure) => Err(file_error(path, std::io::Error::from_raw_os_error(failure.errno))),
            None => Ok(()),
        }
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        if matches!(self.state, State::Destroyed) {
            return Err(destroyed());
        }
        self.kill()?;
        self.state = State::Frozen;
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        let (upper, layers) = (self.view()?.upper(), self.open_layers()?);
        upper
            .and_then(|upper| changes::list(&upper, layers))
            .map_err(|error| SandboxError::system("list the changes of a sandbox", error))
    }

    fn fork(&mut self) -> Result<Box<dyn Sandbox>, SandboxError> {
        let ground = self.ground.as_ref().ok_or_else(destroyed)?;
        let new = ground.another(&self.spec)?;
        let fill = |wire: &Wire| self.halted(|view| fork::fill(wire, view));
        Ok(Box::new(Self::attach(&self.spec, new, fill)?))
    }

    fn snapshot(&mut self, layer: &Path) -> Result<(), SandboxError> {
        let failed = |error| SandboxError::system(format!("make a layer at {}", layer.display()), error);
        self.halted(|view| view.upper().and_then(|upper| entries::snapshot(&upper, layer)).map_err(failed))
    }

    fn standing(&mut self) -> Result<Option<Standing>, SandboxError> {
        let (wire, view) = (self.wire()?, self.view()?);
        match rests(wire)? {
            true => {
                standing::digest(&view).map_err(|error| SandboxError::system("look at the files of a sandbox", error))
            }
            false => Ok(None),
        }
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        if matches!(self.state, State::Destroyed) {
            return Ok(());
        }
        self.kill()?;
        self.state = State::Destroyed;
        self.ground.take().map_or(Ok(()), Ground::end)
    }
}

impl Drop for BoxSandbox {
    fn drop(&mut self) {
        // A box that survives this dies with the channel or with the spawner.
        let _ = self.destroy();
    }
}

/// Has a box write a file; why it could not.
fn ask_to_write(wire: &Wire, path: &str, bytes: &[u8]) -> Result<Option<Failure>, SandboxError> {
    let request = BoxRequest::Write { path: path.into(), length: bytes.len() as u64 };
    wire.send(&request).and_then(|()| wire.send_bytes(bytes)).map_err(|error| lost(&error))?;
    match wire.answer()? {
        (BoxReply::Written(failure), _) => Ok(failure),
        (other, _) => Err(unexpected(&other)),
    }
}

/// Whether there is no room for another process in a box.
fn count(wire: &Wire) -> Result<bool, SandboxError> {
    wire.send(&BoxRequest::Count).map_err(|error| lost(&error))?;
    match wire.answer()? {
        (BoxReply::Counted { crowded }, _) => Ok(crowded),
        (other, _) => Err(unexpected(&other)),
    }
}

/// Whether nothing lives in a box that is no file.
fn rests(wire: &Wire) -> Result<bool, SandboxError> {
    wire.send(&BoxRequest::Rest).map_err(|error| lost(&error))?;
    match wire.answer()? {
        (BoxReply::Rested { at_rest }, _) => Ok(at_rest),
        (other, _) => Err(unexpected(&other)),
    }
}

/// What is known when the box itself was a victim of its memory limit.
fn nothing_left<'a>() -> Ended<'a> {
    let nothing = Captured::default;
    let (stdout, stderr, report) = (nothing(), nothing(), nothing());
    let (outcome, duration) = (Outcome::OutOfMemory, Duration::ZERO);
    let output = Output { outcome, stdout, stderr, report, refused: Refused::default(), duration };
    let ends = Ends { stdin: Feed::nothing(), streams: [Stream::none(), Stream::none(), Stream::none()], status: None };
    Ended { output, reported: true, shell_lives: false, ends }
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
