//! From settings to the parts of this machine that they name: interpreter, limits, workers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use basis_gym::blobs::Blobs;
use basis_gym::grade::Workshop;
use basis_gym::languages::Toolchains;
use basis_gym::languages::python::Toolchain;
use basis_gym::tree::LayerStore;
use basis_sandbox::backends::{ContainerOptions, KubernetesOptions, Medium, Options};
use basis_sandbox::patience::Patient;
use basis_sandbox::pool::{Capacity, Pool};
use basis_sandbox::{Backend, Enforcement, Limits, SandboxError, Strength};

use crate::exit::{Failure, Kind, ResultExt};
use crate::settings::Settings;

/// The interpreter named by `python.interpreter`, or the first usable one on the search path.
pub(crate) fn toolchain(settings: &Settings) -> Result<Toolchain, Failure> {
    let search_path = search_path();
    let named = &settings.python.interpreter;
    let explicit = (!named.is_empty()).then_some(Path::new(named));
    Toolchain::discover(explicit, &search_path).map_err(|error| {
        Failure::from(error).hint("name an interpreter with `--set python.interpreter=/path/to/python3`")
    })
}

/// What the languages run with.
pub(crate) fn toolchains(settings: &Settings) -> Result<Toolchains, Failure> {
    Ok(Toolchains { python: toolchain(settings)?, search_path: search_path() })
}

/// The directories in which programs are looked for.
fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect()
}

/// The backend named by `sandbox.backend`; opening it proves that the machine can run it.
pub(crate) fn backend(settings: &Settings) -> Result<Arc<dyn Backend>, Failure> {
    let hint = |error: SandboxError| {
        let hint = match &error {
            SandboxError::Spec { .. } => "change `sandbox.backend`",
            SandboxError::Unavailable { backend: "container", .. } => {
                "name the engine with `--set sandbox.container.socket=unix:///path/of.sock`; `docs/guides/containers.md` says which engines work"
            }
            SandboxError::Unavailable { backend: "kubernetes", .. } => {
                "`docs/guides/kubernetes.md` says how to prepare a cluster"
            }
            _ => "do what the reason asks for, or run as root",
        };
        Failure::from(error).hint(hint)
    };
    let backend = basis_sandbox::backends::open_with(&settings.sandbox.backend, &options(settings)).map_err(hint)?;
    let kept = |entry: &Enforcement| entry.limit == "cpu" && entry.strength != Strength::Absent;
    match settings.sandbox.millicpus == 0 || backend.enforcement().iter().any(kept) {
        true => Ok(backend),
        false => {
            let message = format!("backend `{}` cannot limit processors on this machine", backend.name());
            Err(Failure::new(Kind::Machine, message)
                .hint("leave `sandbox.millicpus` at 0; `basis doctor` says what the limit needs"))
        }
    }
}

/// What backends are told.
pub(crate) fn options(settings: &Settings) -> Options {
    Options { container: container(settings), kubernetes: kubernetes(settings) }
}

fn container(settings: &Settings) -> ContainerOptions {
    let container = &settings.sandbox.container;
    // As their own clients do.
    let variables = ["DOCKER_HOST", "CONTAINER_HOST"].into_iter().filter_map(|name| std::env::var(name).ok());
    let socket = std::iter::once(container.socket.clone()).chain(variables).find(|address| !address.is_empty());
    ContainerOptions { socket, directory: PathBuf::from(&container.directory) }
}

fn kubernetes(settings: &Settings) -> KubernetesOptions {
    let cluster = &settings.sandbox.kubernetes;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    KubernetesOptions {
        kubeconfig: named(&cluster.kubeconfig).map(PathBuf::from).or_else(usual_kubeconfig),
        context: named(&cluster.context),
        namespace: cluster.namespace.clone(),
        image: cluster.image.clone(),
        provided: cluster.provided.split(',').filter_map(|path| named(path.trim())).collect(),
        medium: if cluster.medium == "disk" { Medium::Disk } else { Medium::Memory },
        runtime_class: named(&cluster.runtime_class),
        cpus: cluster.cpus,
        lease: Duration::from_secs(cluster.lease_seconds),
        start: Duration::from_secs_f64(cluster.start_seconds),
        starts_per_second: cluster.starts_per_second,
    }
}

/// Where `kubectl` would look.
fn usual_kubeconfig() -> Option<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".kube/config")).filter(|path| path.exists()))
}

/// A workshop on the blobs of a pack.
pub(crate) fn workshop(settings: &Settings, blobs: Arc<Blobs>) -> Result<Workshop, Failure> {
    let cache = Path::new(&settings.cache.dir);
    let pool = Pool::new(patient(settings, backend(settings)?), &capacity(settings));
    let mut workshop = Workshop::open(Arc::new(pool), toolchains(settings)?, cache, blobs).kind(Kind::Machine)?;
    workshop.agent_limits = limits(settings);
    workshop.grading_limits = limits(settings);
    Ok(workshop)
}

/// The backend, given up where it does not answer.
fn patient(settings: &Settings, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
    let patience = settings.sandbox.answer_seconds;
    if patience > 0.0 { Arc::new(Patient::new(backend, Duration::from_secs_f64(patience))) } else { backend }
}

/// What all sandboxes together may use.
pub(crate) fn capacity(settings: &Settings) -> Capacity {
    let machine = Capacity::of_this_machine();
    let (memory, commands) = (settings.sandbox.total_memory_mib << 20, settings.sandbox.commands);
    Capacity {
        memory_bytes: if memory == 0 { machine.memory_bytes } else { memory },
        commands: if commands == 0 { machine.commands } else { commands },
        ..machine
    }
}

/// Removes layers of the cache that killed processes left half-written, and returns them.
pub(crate) fn sweep_cache(settings: &Settings) -> Result<Vec<PathBuf>, Failure> {
    let layers = Path::new(&settings.cache.dir).join("layers");
    if !layers.exists() {
        return Ok(Vec::new());
    }
    LayerStore::open(layers).and_then(|store| store.sweep()).kind(Kind::Machine)
}

/// Limits of every sandbox.
pub(crate) fn limits(settings: &Settings) -> Limits {
    let sandbox = &settings.sandbox;
    Limits {
        wall: Duration::from_secs_f64(sandbox.wall_seconds),
        memory_bytes: sandbox.memory_mib << 20,
        processes: sandbox.processes,
        millicpus: (sandbox.millicpus > 0).then_some(sandbox.millicpus),
        disk_bytes: sandbox.disk_mib << 20,
        ..Limits::default()
    }
}

/// Episodes at work at the same time. Many for each core: one waits most of its time for a model, and what it runs waits for its turn.
pub(crate) fn episodes(settings: &Settings) -> usize {
    at_once(settings, 16)
}

/// What else is done at the same time. Twice the cores: whoever mines or grades waits for commands now and then.
pub(crate) fn workers(settings: &Settings) -> usize {
    at_once(settings, 2)
}

fn at_once(settings: &Settings, per_core: usize) -> usize {
    match settings.run.workers {
        0 => per_core * cores(),
        workers => workers,
    }
}

/// Cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Where packages that were fetched are kept.
pub(crate) fn downloads(settings: &Settings) -> Result<LayerStore, Failure> {
    LayerStore::open(cache(settings).join("downloads")).kind(Kind::Machine)
}

/// The directory of what can be made again.
pub(crate) fn cache(settings: &Settings) -> PathBuf {
    PathBuf::from(&settings.cache.dir)
}
