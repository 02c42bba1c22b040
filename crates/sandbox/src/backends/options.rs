//! What backends are told beyond the specification of a sandbox. Known in every build, used by the backend that it names.

use std::path::PathBuf;
use std::time::Duration;

/// A part for each backend that needs to be told something.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// For `container`.
    pub container: ContainerOptions,
    /// For `kubernetes`.
    pub kubernetes: KubernetesOptions,
}

/// Which engine, and where files are shared with it.
#[derive(Debug, Clone)]
pub struct ContainerOptions {
    /// The engine's socket, as a path or as an address like those of DOCKER_HOST; the first one at the usual places when `None`.
    pub socket: Option<String>,
    /// A directory of this machine in which programs may be run and to which the engine has access too.
    pub directory: PathBuf,
}

impl Default for ContainerOptions {
    fn default() -> Self {
        Self { socket: None, directory: "/tmp".into() }
    }
}

/// Which cluster, and what pods are like there.
#[derive(Debug, Clone)]
pub struct KubernetesOptions {
    /// The file with the cluster and the credentials; the service account of the surrounding pod when `None`.
    pub kubeconfig: Option<PathBuf>,
    /// The context of that file; its current one when `None`.
    pub context: Option<String>,
    /// Where pods are made.
    pub namespace: String,
    /// The image that sandboxes run.
    pub image: String,
    /// Targets of mounts that the image has already; they are not copied.
    pub provided: Vec<String>,
    /// Where files of sandboxes are.
    pub medium: Medium,
    /// The runtime class of pods; the cluster's default when `None`.
    pub runtime_class: Option<String>,
    /// Processors of a sandbox.
    pub cpus: f64,
    /// After this time the cluster ends a pod by itself.
    pub lease: Duration,
    /// How long a pod may take until it runs.
    pub start: Duration,
    /// How many pods are started per second.
    pub starts_per_second: f64,
}

impl Default for KubernetesOptions {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            namespace: "basis".into(),
            image: String::new(),
            provided: Vec::new(),
            medium: Medium::Memory,
            runtime_class: None,
            cpus: 1.0,
            lease: Duration::from_secs(3600),
            start: Duration::from_secs(120),
            starts_per_second: 20.0,
        }
    }
}

/// Where the files of a sandbox are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// In memory, with an exact limit of bytes.
    Memory,
    /// On the node's disk; who writes too much is evicted when the node looks next.
    Disk,
}
