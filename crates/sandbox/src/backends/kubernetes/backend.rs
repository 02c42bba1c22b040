//! The backend: one run in one cluster, and pods made for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use tokio::sync::{OnceCell, mpsc};
use tokio_tungstenite::tungstenite::Bytes;

use super::cause::{self, Start};
use super::changes::{self, Time};
use super::cluster::Cluster;
use super::connection::Connection;
use super::failure::{NAME, explain, is_conflict, retrying, unavailable};
use super::pod::Plan;
use super::rate::Rate;
use super::run::Run;
use super::sandbox::{KubernetesSandbox, Lease};
use super::script;
use super::stream::{self, Event};
use super::upload::Bundle;
use super::watch::{Pods, Seen};
use crate::backends::{Medium, Options};
use crate::{Backend, Enforcement, Sandbox, SandboxError, SandboxSpec, Strength};

/// Directories of the image that a working directory cannot be in.
const SYSTEM: [&str; 11] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc", "/sys", "/boot", "/basis"];
/// Places that nothing can be mounted on.
const KERNEL: [&str; 4] = ["/dev", "/proc", "/sys", "/basis"];

/// What all sandboxes of a run share.
pub(super) struct Shared {
    pub(super) cluster: Cluster,
    pods: Arc<Pods>,
    run: Run,
    rate: Rate,
    count: AtomicU64,
    /// Filled once a pod was seen to be cut off from the network.
    cut_off: OnceCell<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.cluster.wait(self.run.end(&self.cluster));
    }
}

struct KubernetesBackend {
    shared: Arc<Shared>,
}

/// Connects, and looks whether the cluster can be used.
pub(in crate::backends) fn open(options: &Options) -> Result<Arc<dyn Backend>, SandboxError> {
    let options = &options.kubernetes;
    if options.image.is_empty() {
        return Err(unavailable(
            "no image for sandboxes; name one in `sandbox.kubernetes.image`, see docs/guides/kubernetes.md",
        ));
    }
    let cluster = Cluster::connect(options)?;
    let run = cluster.wait(Run::begin(&cluster))?;
    let pods = Pods::new();
    cluster.spawn(pods.clone().follow(cluster.pods(), run.selector()));
    let rate = Rate::new(options.starts_per_second);
    let shared = Shared { cluster, pods, run, rate, count: AtomicU64::new(0), cut_off: OnceCell::new() };
    Ok(Arc::new(KubernetesBackend { shared: Arc::new(shared) }))
}

impl Backend for KubernetesBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        let entry = |limit, strength, how: &str| Enforcement { limit, strength, how: how.into() };
        let (disk, how) = match self.shared.cluster.options.medium {
            Medium::Memory => (Strength::Enforced, "size of the volume in memory that holds every writable file"),
            Medium::Disk => (Strength::Watched, "the node evicts the pod when it next looks at its volumes"),
        };
        vec![
            entry(
                "wall",
                Strength::Enforced,
                "the controller ends the command, and then all of the container; the pod has a lease",
            ),
            entry("memory", Strength::Enforced, "memory limit of the container, as the node keeps it"),
            entry(
                "processes",
                Strength::Watched,
                "RLIMIT_NPROC of each command, by the pod's own user; the node may have a limit per pod",
            ),
            entry("cpu", Strength::Enforced, "processor limit of the container"),
            entry("output", Strength::Enforced, "read and thrown away after the limit, killed far above it"),
            entry("disk", disk, how),
            entry("files", Strength::Absent, "Kubernetes has no limit of the number of files"),
            entry("network", Strength::Enforced, "a network policy without rules, tried by the first pod"),
        ]
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        let shared = &self.shared;
        check(spec)?;
        let bundle = Bundle::gather(spec, &shared.cluster.options.provided)?;
        let number = shared.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("basis-{}-{number}", shared.run.id);
        let (cluster, run) = (&shared.cluster, &shared.run);
        let plan =
            Plan { name: &name, run: &run.id, owner: &run.owner, options: &cluster.options, spec, bundle: &bundle };
        cluster.wait(ask(shared, &plan.pod()))?;
        let connection = Connection::new(cluster.client(), cluster.namespace(), &name, shared.pods.clone());
        let mut sandbox = KubernetesSandbox::new(shared.clone(), connection, spec, bundle.work.clone());
        let (copied, lease) = cluster.wait(async {
            let connection = sandbox.connection();
            until_running(shared, &name).await?;
            let tried = shared.cut_off.get_or_try_init(|| probe(connection));
            let (_, copied, lease) = tokio::try_join!(tried, copy(connection, bundle), Lease::begin(connection))?;
            Ok::<_, SandboxError>((copied, lease))
        })?;
        sandbox.begin(copied, lease);
        Ok(Box::new(sandbox))
    }
}

/// Asks for a pod, when it is its turn.
async fn ask(shared: &Shared, pod: &Pod) -> Result<(), SandboxError> {
    shared.rate.turn().await;
    let pods = shared.cluster.pods();
    let name = pod.metadata.name.as_deref().expect("the plan names it");
    let made = retrying(|| async {
        match pods.create(&PostParams::default(), pod).await {
            // An answer was lost on the way: names are never used twice.
            Err(error) if is_conflict(&error) => pods.get(name).await,
            other => other,
        }
    });
    let made = made.await.map_err(|error| explain("create pods", shared.cluster.namespace(), &error))?;
    shared.pods.expect(made);
    Ok(())
}

/// Waits until the containers of a pod run.
async fn until_running(shared: &Shared, name: &str) -> Result<(), SandboxError> {
    let options = &shared.cluster.options;
    let lasting = |seen: &Seen| match (shared.pods.image_failure(name), cause::start(seen)) {
        (Some(reason), _) => Some(Err(no_image(&options.image, reason))),
        (None, Start::Running) => Some(Ok(())),
        (None, Start::Failed(reason)) => Some(Err(unavailable(format!("pod `{name}` does not start: {reason}")))),
        (None, Start::Image { .. } | Start::Waiting(_)) => None,
    };
    let waited = tokio::time::timeout(options.start, shared.pods.until(name, lasting)).await;
    waited.unwrap_or_else(|_| {
        let seconds = options.start.as_secs_f64();
        let late = |why: &str| {
            unavailable(format!(
                "pod `{name}` does not run after {seconds} seconds (`sandbox.kubernetes.start_seconds`): {why}"
            ))
        };
        Err(match shared.pods.get(name).map(|seen| cause::start(&seen)) {
            Some(Start::Image { reason, .. }) => no_image(&options.image, reason),
            Some(Start::Waiting(Some(reason))) => late(&reason),
            _ => late("the node is slow, or pulls a large image"),
        })
    })
}

fn no_image(image: &str, reason: String) -> SandboxError {
    SandboxError::Image { image: image.into(), reason }
}

/// Copies in what the sandbox is made of; when that was done.
async fn copy(connection: &Connection, bundle: Bundle) -> Result<Time, SandboxError> {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(4);
    let packed = tokio::task::spawn_blocking(move || bundle.pack(sender));
    let argv = ["sh", "-c", script::UNPACK].map(str::to_owned);
    let (mut input, mut events) = stream::start(&connection.client, &connection.keeper, &argv)
        .await
        .map_err(|error| stream::lost(&connection.keeper, &error))?;
    let fed = async {
        while let Some(piece) = pieces.recv().await {
            if input.send(&piece).await.is_err() {
                // What was said last says why.
                return;
            }
        }
        let _ = input.close().await;
    };
    let heard = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match events.next().await {
                Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                Event::Stderr(bytes) => stderr.extend_from_slice(&bytes),
                last => {
                    return (
                        last,
                        String::from_utf8_lossy(&stdout).into_owned(),
                        String::from_utf8_lossy(&stderr).into_owned(),
                    );
                }
            }
        }
    };
    let ((), (last, stdout, stderr)) = tokio::join!(fed, heard);
    // An archive that could not be read to its end was not unpacked to its end either.
    drop(pieces);
    match packed.await {
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err(SandboxError::system("read the layers of a sandbox", error));
        }
        _ => {}
    }
    match (last, changes::time(&stdout)) {
        (Event::Exited(0), Some(time)) => Ok(time),
        (Event::Exited(status), _) => Err(unavailable(format!(
            "the files of a sandbox cannot be unpacked (status {status}: {}); the image needs GNU tar, findutils and coreutils, and `sandbox.disk_mib` room for what is unpacked",
            stderr.trim()
        ))),
        (Event::Failed(reason) | Event::Cut(reason), _) => Err(connection.lost(reason).await),
        (event, _) => Err(SandboxError::Lost(format!("an unexpected answer: {event:?}"))),
    }
}

/// Sees that a pod is cut off from the network; a policy that nobody enforces is none.
async fn probe(connection: &Connection) -> Result<(), SandboxError> {
    match connection.in_keeper(script::PROBE, &[]).await?.status {
        0 => Ok(()),
        1 => Err(unavailable(
            "pods reach the network although a network policy forbids it; use a network plugin that enforces policies",
        )),
        3 => Err(unavailable(
            "pods do not know where the API server is, so that it cannot be tried whether they reach it",
        )),
        _ => Err(unavailable(
            "the image lacks `bash` or `timeout`, with which it is tried whether pods reach the network",
        )),
    }
}

fn check(spec: &SandboxSpec) -> Result<(), SandboxError> {
    let wrong = |path: &Path, reason: &str| Err(SandboxError::Spec { path: path.into(), reason: reason.into() });
    if !spec.root.is_empty() {
        // The nodes pull the image of the settings.
        return Err(SandboxError::unsupported("have a root of its own"));
    }
    if spec.layers.is_empty() {
        return wrong(Path::new(&spec.workdir), "at least one layer must be shown here");
    }
    if let Some(layer) = spec.layers.iter().find(|layer| !layer.is_absolute() || !layer.is_dir()) {
        return wrong(layer, "a layer must be the absolute path of a directory");
    }
    if let Some(mount) = spec.mounts.iter().find(|mount| !mount.source.is_absolute() || !mount.source.exists()) {
        return wrong(&mount.source, "a mount must be the absolute path of a file or directory");
    }
    let targets = || spec.mounts.iter().map(|mount| &mount.target);
    if let Some(target) = targets().chain([&spec.workdir]).find(|target| !is_target(target)) {
        return wrong(Path::new(target), "a place in the sandbox must be an absolute path without `.` or `..`");
    }
    let within = |path: &str, places: &[&str]| places.iter().any(|place| Path::new(path).starts_with(place));
    if let Some(target) = targets().find(|target| within(target, &KERNEL)) {
        return wrong(Path::new(target), "nothing can be shown here");
    }
    if within(&spec.workdir, &SYSTEM) {
        return wrong(Path::new(&spec.workdir), "the working directory cannot be in a directory of the system");
    }
    Ok(())
}

/// Whether `path` is absolute and written in the one normal way, and not the root. A colon would end it for some runtimes.
fn is_target(path: &str) -> bool {
    let ordinary = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['\0', ':']);
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(ordinary))
}
