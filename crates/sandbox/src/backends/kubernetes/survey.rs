//! Finds the runs of all controllers in a cluster, and removes those whose controllers have not been heard of.
//!
//! A controller may be a process of any machine, so its number and command are not known. Nothing is asked of a cluster unless an
//! image for sandboxes is named: without one, the backend is not used here.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::ListParams;

use super::cluster::Cluster;
use super::failure::{NAME, explain, retrying};
use super::run::{self, MANAGED, RUN};
use crate::backends::{KubernetesOptions, Options};
use crate::{Holding, SandboxError};

/// Everything that controllers hold of this backend.
pub(in crate::backends) fn holdings(options: &Options) -> Result<Vec<Holding>, SandboxError> {
    let Some(cluster) = reach(&options.kubernetes)? else { return Ok(Vec::new()) };
    cluster.wait(list(&cluster))
}

/// Removes what a dead controller left.
pub(in crate::backends) fn collect(holding: &Holding, options: &Options) -> Result<(), SandboxError> {
    let wrong = |reason: &str| SandboxError::Spec { path: holding.name.clone().into(), reason: reason.into() };
    let Some(cluster) = reach(&options.kubernetes)? else {
        return Err(wrong("no image is named in `sandbox.kubernetes.image`, so no cluster is asked"));
    };
    cluster.wait(async {
        let maps = runs(&cluster).await?;
        match maps.iter().find(|map| map.name_any() == holding.name) {
            None => Ok(()),
            Some(map) if !run::is_expired(map) => Err(wrong("its controller is alive; end that process instead")),
            Some(map) => run::remove(&cluster, map).await.map_err(failed(&cluster, "remove a run")),
        }
    })
}

async fn list(cluster: &Cluster) -> Result<Vec<Holding>, SandboxError> {
    let maps = runs(cluster).await?;
    let (api, managed) = (cluster.pods(), managed());
    let pods = retrying(|| api.list(&managed)).await.map_err(failed(cluster, "list pods"))?;
    Ok(maps.iter().map(|map| describe(map, &pods.items)).collect())
}

async fn runs(cluster: &Cluster) -> Result<Vec<ConfigMap>, SandboxError> {
    let (api, managed) = (cluster.config_maps(), managed());
    let maps = retrying(|| api.list(&managed)).await.map_err(failed(cluster, "list the objects of runs"))?;
    Ok(maps.items)
}

fn describe(map: &ConfigMap, pods: &[Pod]) -> Holding {
    let run = map.labels().get(RUN);
    let own: Vec<&Pod> = pods.iter().filter(|pod| run.is_some() && pod.labels().get(RUN) == run).collect();
    let runs = |pod: &&&Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
    let objects = own.iter().map(|pod| format!("pod {}", pod.name_any()));
    Holding {
        backend: NAME,
        name: map.name_any(),
        controller: 0,
        command: String::new(),
        is_left: run::is_expired(map),
        sandboxes: own.iter().filter(runs).count(),
        processes: 0,
        memory_bytes: 0,
        remains: objects.chain([format!("configmap {}", map.name_any())]).collect(),
    }
}

fn managed() -> ListParams {
    ListParams::default().labels(&format!("{}={}", MANAGED.0, MANAGED.1))
}

fn failed<'a>(cluster: &'a Cluster, what: &'static str) -> impl Fn(kube::Error) -> SandboxError + 'a {
    move |error| explain(what, cluster.namespace(), &error)
}

fn reach(options: &KubernetesOptions) -> Result<Option<Cluster>, SandboxError> {
    if options.image.is_empty() { Ok(None) } else { Cluster::connect(options).map(Some) }
}
