//! The connection to one cluster, and the runtime that its calls wait in. The rest of the crate blocks.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::runtime::Runtime;

use super::failure::unavailable;
use crate::SandboxError;
use crate::backends::KubernetesOptions;

/// Threads that wait for the cluster; none of them computes.
const THREADS: usize = 2;

/// A cluster and what was said about it.
pub(super) struct Cluster {
    /// Taken when this is dropped.
    runtime: Option<Runtime>,
    client: Client,
    pub(super) options: KubernetesOptions,
}

impl Cluster {
    /// Reads the configuration; nothing is asked of the cluster yet.
    pub(super) fn connect(options: &KubernetesOptions) -> Result<Self, SandboxError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("kubernetes")
            .enable_all()
            .build()
            .map_err(|error| SandboxError::system("start the threads of the backend `kubernetes`", error))?;
        let client = runtime.block_on(async {
            let mut config = configuration(options).await?;
            // What passes by itself is asked for again in one place: [`super::failure::retrying`].
            config.default_retry = false;
            Client::try_from(config).map_err(|error| unavailable(format!("the kubeconfig cannot be used: {error}")))
        })?;
        Ok(Self { runtime: Some(runtime), client, options: options.clone() })
    }

    /// Waits for an answer. Must be called by a thread that may block.
    pub(super) fn wait<F: Future>(&self, answer: F) -> F::Output {
        self.runtime().block_on(answer)
    }

    /// Goes on with something while the caller does other things.
    pub(super) fn spawn<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime().spawn(work)
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken only when this is dropped")
    }

    /// For calls that no [`Api`] has.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace of all pods.
    pub(super) fn namespace(&self) -> &str {
        &self.options.namespace
    }

    pub(super) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client(), self.namespace())
    }

    pub(super) fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client(), self.namespace())
    }

    pub(super) fn policies(&self) -> Api<NetworkPolicy> {
        Api::namespaced(self.client(), self.namespace())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn configuration(options: &KubernetesOptions) -> Result<Config, SandboxError> {
    let Some(path) = &options.kubeconfig else {
        return Config::incluster().map_err(|_| {
            unavailable("there is no kubeconfig and this is no pod of a cluster; name a file in `sandbox.kubernetes.kubeconfig`")
        });
    };
    let unusable = |error| {
        unavailable(format!(
            "kubeconfig `{}`: {error}; name another one in `sandbox.kubernetes.kubeconfig` or `.context`",
            path.display()
        ))
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
    let choice = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &choice).await.map_err(unusable)
}
