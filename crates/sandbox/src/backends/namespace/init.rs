//! PID 1 of a box: serves the controller, starts commands, collects orphans.
//!
//! Commands are hostile and share its pid namespace; it is not dumpable, so that they cannot look into it, and its end
//! of the channel is never inherited. When the channel closes it ends, and the kernel kills everything else with it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};

use super::command::{self, Start};
use super::protocol::{BoxReply, BoxRequest, BoxSpec, Channel, DESCRIPTORS, Doing, Failure};
use super::syscalls::Filter;
use super::trees::Trees;
use super::{beneath, confine, setup, shell, sys, watch};

/// How often a box looks whether there is room for a command, a millisecond apart. Processes that were killed take a moment to be gone.
const LOOKS_FOR_ROOM: usize = 5_000;
/// After so many looks, what earlier commands have left is in the way for good: whoever could end it could not be started.
const LOOKS_BEFORE_ALL_IS_KILLED: usize = 200;

/// Becomes a box, once its keeper says which one, and serves until the controller is gone.
pub(super) fn run(filter: &Filter, born: setup::Born, channel: Channel) -> ! {
    // Signals that would end any other process, also that of a panic, do nothing to PID 1.
    std::panic::set_hook(Box::new(|_| sys::exit(101)));
    // With a copy of the keeper's end, a box whose keeper is killed now would wait for it forever.
    let [channel] = keep_only([channel.into_fd()]);
    let channel = Channel::new(channel);
    let begun = setup::begin(born);
    if !matches!(channel.receive(), Ok(Some((BoxRequest::Start, _)))) {
        sys::exit(1);
    }
    let stage = begun.and_then(|()| setup::set_up());
    let (spec, trees) = hear_what_to_be(&channel);
    let view = stage.and_then(|stage| setup::complete(&spec, trees?, stage, &channel));
    begin(&spec, view, confine::Keep::Rights, filter, channel)
}

/// Waits for a specification and what it needs.
fn hear_what_to_be(channel: &Channel) -> (Box<BoxSpec>, Result<Trees, Failure>) {
    let Ok(Some((BoxRequest::Begin(spec), mut sent))) = channel.receive() else { sys::exit(1) };
    for _ in 1..Trees::count(&spec).div_ceil(DESCRIPTORS) {
        match channel.receive() {
            Ok(Some((BoxRequest::More, more))) => sent.extend(more),
            _ => sys::exit(1),
        }
    }
    let trees = Trees::of(&spec, sent);
    (spec, trees)
}

/// Becomes the first process of a container, whose mounts others have made, and serves until the controller is gone.
pub(in crate::backends) fn run_in_container(channel: Channel) -> ! {
    std::panic::set_hook(Box::new(|_| sys::exit(101)));
    sys::reset_signals();
    let Ok(Some((BoxRequest::Begin(spec), _))) = channel.receive() else { sys::exit(1) };
    let filter = Filter::new();
    let confined = confine::forgo_privileges().and_then(|()| filter.install_first());
    let view = confined.and_then(|()| setup::look(&spec.workdir));
    begin(&spec, view, confine::Keep::Nothing, &filter, channel)
}

fn begin(
    spec: &BoxSpec,
    view: Result<setup::View, Failure>,
    keep: confine::Keep,
    filter: &Filter,
    channel: Channel,
) -> ! {
    let prepared = view.and_then(|view| {
        let children = sys::child_signals().doing(|| "watch children".into())?;
        let writable = if spec.root.is_empty() { spec.workdir.as_str() } else { "/" };
        confine::confine_box(writable, keep, filter)?;
        Ok((view, children))
    });
    match prepared {
        Ok((view, children)) => Init::start(spec, view, children, channel).serve(),
        Err(failure) => {
            // Without a reader there is nobody to tell.
            let _ = channel.send(&BoxReply::Failed(failure), &[]);
            sys::exit(1)
        }
    }
}

struct Init<'a> {
    spec: &'a BoxSpec,
    channel: Channel,
    children: OwnedFd,
    workdir: OwnedFd,
    /// The command that the controller waits for.
    running: Option<i32>,
    /// The shell that stays alive.
    shell: Option<i32>,
    /// Whether a command or a shell is being killed for its memory, with everything else.
    out_of_memory: bool,
    /// Whether there were as many processes as there may be since the command started.
    crowded: bool,
}

impl<'a> Init<'a> {
    fn start(spec: &'a BoxSpec, view: setup::View, children: OwnedFd, channel: Channel) -> Self {
        if channel.send(&BoxReply::Ready, &[view.workdir.as_fd(), view.stage.as_fd()]).is_err() {
            sys::exit(0);
        }
        drop(view.stage);
        let [channel, children, workdir] = keep_only([channel.into_fd(), children, view.workdir]);
        let channel = Channel::new(channel);
        Self { spec, channel, children, workdir, running: None, shell: None, out_of_memory: false, crowded: false }
    }

    fn serve(&mut self) -> ! {
        loop {
            let mut watched = [PollFd::new(&self.channel, PollFlags::IN), PollFd::new(&self.children, PollFlags::IN)];
            // Interruption is the only failure that is possible here; the loop looks again.
            let watch = self.spec.watch;
            let watching = (watch.processes && self.running.is_some()) || (watch.memory && !sys::childless());
            let period = watch::PERIOD.try_into().expect("the time is short");
            let _ = rustix::event::poll(&mut watched, watching.then_some(&period));
            let [request, children] = watched.map(|fd| !fd.revents().is_empty());
            if watching {
                self.watch();
            }
            if children {
                self.reap();
            }
            if request {
                match self.channel.receive() {
                    Ok(Some((request, descriptors))) => self.answer(request, descriptors),
                    _ => sys::exit(0),
                }
            }
        }
    }

    fn answer(&mut self, request: BoxRequest, descriptors: Vec<OwnedFd>) {
        match request {
            BoxRequest::Start | BoxRequest::Begin(_) | BoxRequest::More | BoxRequest::Make(_) | BoxRequest::Filled => {}
            BoxRequest::Execute { argv, env, cwd } => {
                self.crowded = false;
                match self.start_command(&argv, &env, cwd.as_deref(), descriptors) {
                    Ok(pid) => self.running = Some(pid),
                    Err(failure) => self.reply(&BoxReply::Failed(failure)),
                }
            }
            BoxRequest::OpenShell { env } => match self.open_shell(&env, descriptors) {
                Ok(pid) => {
                    self.shell = Some(pid);
                    self.reply(&BoxReply::ShellOpened);
                }
                Err(failure) => self.reply(&BoxReply::Failed(failure)),
            },
            BoxRequest::Kill => sys::kill_all(),
            BoxRequest::Interrupt { shell } => {
                if let Some(leader) = if shell { self.shell } else { self.running } {
                    sys::interrupt_group(leader);
                }
            }
            BoxRequest::Count => {
                let crowded = self.is_crowded(0);
                self.reply(&BoxReply::Counted { crowded });
            }
            BoxRequest::Listen => match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(|| "listen".into()) {
                Ok(listener) => {
                    if self.channel.send(&BoxReply::Listening, &[listener.as_fd()]).is_err() {
                        sys::exit(0);
                    }
                }
                Err(failure) => self.reply(&BoxReply::Failed(failure)),
            },
            BoxRequest::Rest => {
                let at_rest = self.is_at_rest();
                self.reply(&BoxReply::Rested { at_rest });
            }
            BoxRequest::Halt(halt) => {
                sys::signal_all(if halt { libc::SIGSTOP } else { libc::SIGCONT });
                self.reply(&BoxReply::Halted);
            }
            BoxRequest::Write { path, length } => {
                let written = self.write(&path, length);
                self.reply(&BoxReply::Written(written.err()));
            }
        }
    }

    fn start_command(
        &mut self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        cwd: Option<&str>,
        descriptors: Vec<OwnedFd>,
    ) -> Result<i32, Failure> {
        let spec = self.spec;
        let cwd = cwd.unwrap_or(&spec.workdir);
        let start = Start { argv, env, cwd, descriptors, limits: &spec.limits, watch: spec.watch };
        let mut started = command::start(&start);
        for look in 0..LOOKS_FOR_ROOM {
            if !started.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                break;
            }
            // Else it is the machine that is full.
            if look >= LOOKS_BEFORE_ALL_IS_KILLED && self.is_full(0) {
                sys::kill_all();
            }
            self.crowded = true;
            std::thread::sleep(Duration::from_millis(1));
            self.reap();
            started = command::start(&start);
        }
        started.doing(|| "start a command".into())
    }

    fn open_shell(&mut self, env: &BTreeMap<String, String>, descriptors: Vec<OwnedFd>) -> Result<i32, Failure> {
        let stdin = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let mut all = vec![stdin.doing(|| "open /dev/null".into())?];
        all.extend(descriptors);
        self.start_command(&shell::argv(), env, None, all)
    }

    /// Looks at what the kernel does not count on every machine.
    fn watch(&mut self) {
        if self.spec.watch.memory && watch::memory_in_use() > self.spec.limits.memory_bytes {
            // Without a command and a shell there is nobody to be told.
            self.out_of_memory = self.running.is_some() || self.shell.is_some();
            sys::kill_all();
        }
        self.crowded |= self.running.is_some() && self.is_crowded(0);
    }

    /// Whether it is full where the kernel does not count that.
    fn is_crowded(&self, gone: u64) -> bool {
        self.spec.watch.processes && self.is_full(gone)
    }

    /// Whether there is no room for a process more, `gone` of which have just ended.
    fn is_full(&self, gone: u64) -> bool {
        // The box itself counts.
        watch::threads() + gone > self.spec.limits.processes
    }

    /// Whether there is no process and nothing that processes share in memory. What was killed may take a moment to end.
    fn is_at_rest(&mut self) -> bool {
        const LOOKS: usize = 20;
        for look in 0..LOOKS {
            self.reap();
            if sys::childless() {
                return !sys::shares_memory();
            }
            if look + 1 < LOOKS {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        false
    }

    fn write(&self, path: &str, length: u64) -> Result<(), Failure> {
        let mut result = beneath::create(&self.workdir, path).doing(|| format!("write {path}"));
        let mut left = length;
        // Not on the stack: the frame of a loop that every box stands in is memory of every box.
        let mut buffer = vec![0; left.min(1 << 16) as usize];
        while left > 0 {
            let part = &mut buffer[..left.min(1 << 16) as usize];
            if self.channel.receive_bytes(part).is_err() {
                sys::exit(0);
            }
            left -= part.len() as u64;
            if let Ok(file) = &mut result
                && let Err(error) = std::io::Write::write_all(file, part)
            {
                result = Err(Failure::new(format!("write {path}"), &error));
            }
        }
        result.map(drop)
    }

    fn reap(&mut self) {
        sys::drain(&self.children);
        while let Some((pid, status)) = sys::reap() {
            if self.running == Some(pid) {
                self.running = None;
                let crowded = std::mem::take(&mut self.crowded) || (status != 0 && self.is_crowded(1));
                command::kill_session(pid);
                let out_of_memory = std::mem::take(&mut self.out_of_memory);
                self.reply(&BoxReply::Exited { status, out_of_memory, crowded });
            } else if self.shell == Some(pid) {
                self.shell = None;
                command::kill_session(pid);
                // A command that is being killed for the same reason is told later, and told so too.
                let out_of_memory = self.out_of_memory;
                self.out_of_memory &= self.running.is_some();
                self.reply(&BoxReply::ShellEnded { status, out_of_memory });
            }
        }
    }

    fn reply(&self, reply: &BoxReply) {
        if self.channel.send(reply, &[]).is_err() {
            sys::exit(0);
        }
    }
}

/// Renumbers descriptors to 3, 4, 5 … and closes everything else that was inherited or made on the way.
fn keep_only<const N: usize>(descriptors: [OwnedFd; N]) -> [OwnedFd; N] {
    const FIRST: i32 = 3;
    // Out of the way first: targets may be in use as sources.
    let high = descriptors.map(|fd| {
        let copy = rustix::io::fcntl_dupfd_cloexec(&fd, 64).expect("the table has room");
        std::mem::forget(fd);
        copy
    });
    let mut number = FIRST;
    let kept = high.map(|fd| {
        sys::replace_descriptor(&fd, number).expect("the number is valid");
        std::mem::forget(fd);
        let kept = sys::adopt_descriptor(number);
        rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::CLOEXEC).expect("the descriptor is open");
        number += 1;
        kept
    });
    sys::close_from(number).expect("the range is valid");
    kept
}
