//! The backend: has containers made, mounted and started, and says how each limit is kept.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags};

use super::NAME;
use super::base::Base;
use super::engine::{Engine, Info, Listed, unavailable};
use super::group::Group;
use super::lobby::Lobby;
use super::mounter::{Mounter, Mounts};
use super::owner::Owner;
use super::request::{LABEL, Request};
use super::socket;
use super::stage::Stage;
use crate::backends::namespace::backend::{check, raise_open_files};
use crate::backends::namespace::client::{Ground, NewBox};
use crate::backends::namespace::protocol::{BoxRequest, BoxSpec, Channel, Watch};
use crate::backends::namespace::sandbox::BoxSandbox;
use crate::backends::{ContainerOptions, Options, trial};
use crate::{Backend, Enforcement, Limits, Sandbox, SandboxError, SandboxSpec, Strength};

/// How long the first process of a container may take to call in after the engine has started it.
const PATIENCE: Duration = Duration::from_secs(30);
/// First of the users as which containers run, where the engine lets them be any: like boxes, far from those of people.
const FIRST_USER: u32 = 1_950_000_000;
/// Users before the first one comes again.
const USERS: u32 = 1 << 20;

/// Opens the backend and runs one command in one container, which proves that the machine can.
pub(in crate::backends) fn open(options: &Options) -> Result<Arc<dyn Backend>, SandboxError> {
    let tried = try_open(&options.container);
    // Whatever goes wrong here, the machine cannot run it.
    tried.map_err(|error| match error {
        SandboxError::Unavailable { .. } => error,
        other => unavailable(other.to_string()),
    })
}

fn try_open(options: &ContainerOptions) -> Result<Arc<dyn Backend>, SandboxError> {
    raise_open_files();
    let (engine, info) = Engine::connect(&socket::find(options.socket.as_deref())?)?;
    let shared = Arc::new(Shared::open(engine, info, &options.directory)?);
    let kept = probe(&shared)?;
    Ok(Arc::new(ContainerBackend { shared, kept }))
}

struct ContainerBackend {
    shared: Arc<Shared>,
    kept: Kept,
}

/// What all containers of one backend have in common.
struct Shared {
    engine: Engine,
    info: Info,
    mounter: Mounter,
    lobby: Lobby,
    stage: Stage,
    base: Base,
    owner: String,
    next_user: AtomicU32,
}

/// Which limits were seen to be in force.
#[derive(Debug, Clone, Copy)]
struct Kept {
    memory: bool,
    processes: bool,
}

impl Shared {
    fn open(engine: Engine, info: Info, directory: &Path) -> Result<Self, SandboxError> {
        let failed = |what: &'static str| move |error| SandboxError::system(what, error);
        let owner = Owner::this().map_err(failed("look at this process"))?;
        sweep(&engine)?;
        let base = Base::make().map_err(failed("make the image of sandboxes"))?;
        if !engine.has_image(&base.name)? {
            engine.load(&base.archive)?;
        }
        let stage = Stage::make(directory, &owner).map_err(|error| {
            SandboxError::system(format!("make a directory for containers in {}", directory.display()), error)
        })?;
        let lobby = Lobby::open(&stage.socket()).map_err(failed("listen for containers"))?;
        let (mounter, owner) = (Mounter::start()?, owner.to_string());
        Ok(Self { engine, info, mounter, lobby, stage, base, owner, next_user: AtomicU32::new(0) })
    }

    /// The user of the next container: one of its own where that is possible.
    fn user(&self) -> u32 {
        match self.info.is_rootless() {
            // The root of such an engine is the engine's user.
            true => 0,
            false => FIRST_USER + self.next_user.fetch_add(1, Ordering::Relaxed) % USERS,
        }
    }

    /// A container whose first process was told to begin.
    fn make(self: &Arc<Self>, spec: &SandboxSpec, memory: bool) -> Result<Made, SandboxError> {
        let checked = check(spec, Watch { memory, processes: true })?;
        let request = Request {
            spec,
            stage: &self.stage,
            image: &self.base.name,
            owner: &self.owner,
            user: self.user(),
            info: &self.info,
        };
        let id = self.engine.create(&request.body())?;
        // From here on the container is removed whatever happens.
        let container = Container { shared: self.clone(), id: Some(id.clone()), group: Group::default() };
        let spec = SandboxSpec { layers: checked.layers.clone(), ..spec.clone() };
        self.bring_up(&id, &checked, container, spec)
    }

    fn bring_up(
        &self,
        id: &str,
        spec: &BoxSpec,
        mut container: Container,
        shown: SandboxSpec,
    ) -> Result<Made, SandboxError> {
        let ended = || unavailable("the first process of a container ended at once; see the engine's log".into());
        self.engine.start(id)?;
        let number = self.engine.first_process(id)?.ok_or_else(ended)?;
        let caller = self.lobby.wait_for(number, PATIENCE);
        let caller = caller.map_err(|error| SandboxError::system("wait for a container", error))?.ok_or_else(ended)?;
        // It has called in and waits for an answer, so the number is still its own.
        let pid = Pid::from_raw(number).expect("a process has a number");
        let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())
            .map_err(|error| SandboxError::system("watch a container", error))?;
        check_network(number)?;
        let mounts = Mounts {
            root: spec.root.clone(),
            layers: spec.layers.clone(),
            workdir: spec.workdir.clone(),
            mounts: spec.mounts.clone(),
            disk_bytes: spec.limits.disk_bytes,
            files: spec.limits.files,
            owner: caller.owner,
        };
        let [workdir, stage] = self.mounter.mount(number, &mounts)?;
        container.group = Group::of(number);
        let channel = Channel::new(caller.connection);
        let begin = BoxRequest::Begin(Box::new(spec.clone()));
        let lost = |error| SandboxError::Lost(format!("the first process of a container is gone: {error}"));
        channel.send(&begin, &[]).map_err(lost)?;
        Ok(Made { process, channel, view: [workdir, stage], container, spec: shown })
    }
}

/// A container that sets itself up.
struct Made {
    process: OwnedFd,
    channel: Channel,
    view: [OwnedFd; 2],
    container: Container,
    /// With the layers that are really shown.
    spec: SandboxSpec,
}

/// One container, as what a box stands on.
struct Container {
    shared: Arc<Shared>,
    /// Until it is removed.
    id: Option<String>,
    group: Group,
}

impl Ground for Container {
    fn out_of_memory(&mut self) -> bool {
        self.group.killed()
    }

    fn another(&self, _: &SandboxSpec) -> Result<NewBox, SandboxError> {
        Err(SandboxError::unsupported("fork a sandbox"))
    }

    fn end(mut self: Box<Self>) -> Result<(), SandboxError> {
        match self.id.take() {
            Some(id) => self.shared.engine.remove(&id),
            None => Ok(()),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            // Its first process is dead, so the engine removes it, too; what stays is swept.
            let _ = self.shared.engine.remove(&id);
        }
    }
}

/// Removes the containers of controllers that run no more.
fn sweep(engine: &Engine) -> Result<(), SandboxError> {
    let of_dead = |container: &Listed| container.owner().is_some_and(|owner| owner.is_dead());
    engine.list(LABEL)?.iter().filter(|container| of_dead(container)).try_for_each(|left| engine.remove(&left.id))
}

/// Refuses a container that has any interface but loopback, whatever the engine was asked for.
fn check_network(process: i32) -> Result<(), SandboxError> {
    let path = format!("/proc/{process}/net/dev");
    let text = std::fs::read_to_string(&path).map_err(|error| SandboxError::system(format!("read {path}"), error))?;
    let names = text.lines().skip(2).filter_map(|line| line.split(':').next());
    match names.map(str::trim).find(|name| *name != "lo") {
        None => Ok(()),
        Some(name) => Err(unavailable(format!("the engine gave a container without network the interface `{name}`"))),
    }
}

/// Tries everything once, and looks whether the limits that the engine took are in force.
fn probe(shared: &Arc<Shared>) -> Result<Kept, SandboxError> {
    let limits = Limits::default();
    let made = shared.make(&trial::spec(limits.clone()), true)?;
    let group = &made.container.group;
    let kept = Kept {
        memory: group.memory_limit() == Some(limits.memory_bytes),
        processes: group.process_limit() == Some(limits.processes + 1),
    };
    trial::run(NAME, attach(made)?)?;
    Ok(kept)
}

fn attach(made: Made) -> Result<Box<dyn Sandbox>, SandboxError> {
    let Made { process, channel, view, container, spec } = made;
    let new = NewBox { process, channel, view: Some(view), ground: Box::new(container) };
    Ok(Box::new(BoxSandbox::over(&spec, new)?))
}

impl Backend for ContainerBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        let engine = self.shared.info.describe();
        let entry = |limit, strength, how: String| Enforcement { limit, strength, how };
        let (exact, group) = (Strength::Enforced, format!("the control group that {engine} makes for each container"));
        let memory = match self.kept.memory {
            true => entry("memory", exact, format!("{group}, files in its tmpfs included")),
            false => entry(
                "memory",
                Strength::Watched,
                format!(
                    "{engine} does not limit it here; each process by RLIMIT_DATA, and the sum is sampled 20 times a second"
                ),
            ),
        };
        let processes = match (self.kept.processes, self.shared.info.is_rootless()) {
            (true, _) => entry("processes", exact, group.clone()),
            (false, false) => {
                entry("processes", exact, "RLIMIT_NPROC of a user that each container has for itself".into())
            }
            (false, true) => entry(
                "processes",
                Strength::Watched,
                format!(
                    "{engine} does not limit them here; RLIMIT_NPROC, which counts all containers of this user together"
                ),
            ),
        };
        let cpu = match self.shared.info.cpu_quota {
            true => entry("cpu", exact, group),
            false => entry("cpu", Strength::Absent, format!("{engine} does not limit it here")),
        };
        let killed = "the controller kills everything in the container at the deadline";
        vec![
            entry("wall", exact, killed.into()),
            memory,
            processes,
            cpu,
            entry("output", exact, "read and thrown away after the limit, killed far above it".into()),
            entry("disk", exact, "size of the tmpfs that holds every writable file".into()),
            entry("files", exact, "inodes of that tmpfs".into()),
            entry(
                "network",
                exact,
                "a network namespace with nothing but loopback, looked at before each start".into(),
            ),
        ]
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        if spec.limits.millicpus.is_some() && !self.shared.info.cpu_quota {
            return Err(unavailable(
                "the engine cannot limit the processors of a sandbox: leave `millicpus` out".into(),
            ));
        }
        attach(self.shared.make(spec, !self.kept.memory)?)
    }
}
