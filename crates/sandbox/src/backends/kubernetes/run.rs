//! The object that all pods of one controller belong to. When it goes, the cluster's garbage collector takes the pods.
//!
//! It carries a time until which its controller is taken to be alive, which the controller moves on. Whoever opens this
//! backend removes the objects of controllers that did not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::failure::{explain, is_conflict, is_missing, retrying, unavailable};
use super::script::token;
use crate::SandboxError;

/// On every object of this backend.
pub(super) const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "basis");
/// Which run an object belongs to.
pub(super) const RUN: &str = "basis/run";
/// Until when the controller of a run is taken to be alive, in seconds since 1970.
const EXPIRES: &str = "basis/expires";
/// How long a controller is taken to be alive after its last word, and how often it gives one.
const ALIVE: Duration = Duration::from_secs(300);
const WORD: Duration = Duration::from_secs(60);
/// The first minor version of 1.x whose servers close standard input over WebSockets when they are asked to.
const OLDEST: u32 = 30;

/// The object of this controller.
pub(super) struct Run {
    pub(super) id: String,
    pub(super) owner: OwnerReference,
    words: JoinHandle<()>,
}

impl Run {
    /// Looks whether the cluster can be used, makes the object, and removes what dead controllers left.
    pub(super) async fn begin(cluster: &Cluster) -> Result<Self, SandboxError> {
        let failed = |what: &'static str| move |error: kube::Error| explain(what, cluster.namespace(), &error);
        let client = cluster.client();
        let version = retrying(|| client.apiserver_version()).await.map_err(failed("ask for the version"))?;
        check_version(&version.major, &version.minor)?;
        let (policies, any) = (cluster.policies(), ListParams::default());
        let all = retrying(|| policies.list(&any)).await.map_err(failed("list network policies"))?;
        if !all.items.iter().any(isolates) {
            return Err(unavailable(format!(
                "no network policy of namespace `{}` cuts the pods of basis off from the network; apply the one in \
                 docs/guides/kubernetes.md",
                cluster.namespace()
            )));
        }
        let id = token().map_err(|error| SandboxError::system("read /dev/urandom", error))?[..12].to_owned();
        let maps = cluster.config_maps();
        let wanted = object(&id);
        let made = retrying(|| made_once(&maps, &wanted)).await.map_err(failed("make the object of a run"))?;
        let owner = OwnerReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            name: made.name_any(),
            uid: made.uid().unwrap_or_default(),
            ..OwnerReference::default()
        };
        let words = cluster.spawn(give_words(maps.clone(), made.name_any()));
        // What stays now is found by the next sweep.
        let _ = sweep(cluster).await;
        Ok(Self { id, owner, words })
    }

    /// Selects the pods of this run.
    pub(super) fn selector(&self) -> String {
        format!("{RUN}={}", self.id)
    }

    /// Removes the object, and with it whatever pods are left.
    pub(super) async fn end(&self, cluster: &Cluster) {
        self.words.abort();
        // If this fails, the next sweep finds it.
        let _ = cluster.config_maps().delete(&self.owner.name, &DeleteParams::background()).await;
    }
}

fn object(id: &str) -> ConfigMap {
    let labels = [MANAGED, (RUN, id)].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("basis-run-{id}")),
            labels: Some(labels),
            annotations: Some(BTreeMap::from([(EXPIRES.to_owned(), (now() + ALIVE.as_secs()).to_string())])),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

/// Makes an object; if an answer was lost on the way, it is there already.
async fn made_once(maps: &Api<ConfigMap>, wanted: &ConfigMap) -> kube::Result<ConfigMap> {
    match maps.create(&PostParams::default(), wanted).await {
        Err(error) if is_conflict(&error) => maps.get(&wanted.name_any()).await,
        other => other,
    }
}

/// Moves the time on until the object is gone or the runtime ends.
async fn give_words(maps: Api<ConfigMap>, name: String) {
    loop {
        tokio::time::sleep(WORD).await;
        if let Err(error) = give_word(&maps, &name).await
            && is_missing(&error)
        {
            return;
        }
    }
}

/// Someone else may change the object meanwhile; then this looks at it anew.
async fn give_word(maps: &Api<ConfigMap>, name: &str) -> kube::Result<()> {
    loop {
        let mut object = retrying(|| maps.get(name)).await?;
        object.annotations_mut().insert(EXPIRES.into(), (now() + ALIVE.as_secs()).to_string());
        let parameters = PostParams::default();
        match retrying(|| maps.replace(name, &parameters, &object)).await {
            Err(error) if is_conflict(&error) => {}
            other => return other.map(drop),
        }
    }
}

/// Removes the objects and pods of controllers that have not been heard of.
async fn sweep(cluster: &Cluster) -> kube::Result<()> {
    let managed = ListParams::default().labels(&format!("{}={}", MANAGED.0, MANAGED.1));
    let maps = cluster.config_maps();
    for map in retrying(|| maps.list(&managed)).await?.items.iter().filter(|map| is_expired(map)) {
        remove(cluster, map).await?;
    }
    Ok(())
}

/// Removes the pods of a run, then its object.
pub(super) async fn remove(cluster: &Cluster, map: &ConfigMap) -> kube::Result<()> {
    let Some(run) = map.labels().get(RUN) else { return Ok(()) };
    let pods = ListParams::default().labels(&format!("{RUN}={run}"));
    let (api, at_once) = (cluster.pods(), DeleteParams::default().grace_period(0));
    retrying(|| api.delete_collection(&at_once, &pods)).await?;
    match cluster.config_maps().delete(&map.name_any(), &DeleteParams::background()).await {
        Err(error) if !is_missing(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether the controller of a run has not been heard of for too long.
pub(super) fn is_expired(map: &ConfigMap) -> bool {
    expired(map, now())
}

fn expired(map: &ConfigMap, now: u64) -> bool {
    map.annotations().get(EXPIRES).and_then(|time| time.parse::<u64>().ok()).is_some_and(|time| time < now)
}

/// Whether a policy lets nothing in and nothing out of the pods of this backend.
fn isolates(policy: &NetworkPolicy) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let selects = spec.pod_selector.as_ref().is_none_or(|selector| {
        let labels = selector.match_labels.iter().flatten();
        selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
            && labels.into_iter().all(|(key, value)| (key.as_str(), value.as_str()) == MANAGED)
    });
    let has = |kind: &str| spec.policy_types.iter().flatten().any(|listed| listed == kind);
    let empty = spec.ingress.as_ref().is_none_or(Vec::is_empty) && spec.egress.as_ref().is_none_or(Vec::is_empty);
    selects && has("Ingress") && has("Egress") && empty
}

fn check_version(major: &str, minor: &str) -> Result<(), SandboxError> {
    // Some distributions write `30+`.
    let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
    match (major, digits.parse::<u32>()) {
        ("1", Ok(number)) if number < OLDEST => {
            Err(unavailable(format!("the cluster runs Kubernetes {major}.{minor}; 1.{OLDEST} or newer is needed")))
        }
        _ => Ok(()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(spec: serde_json::Value) -> NetworkPolicy {
        serde_json::from_value(json!({ "spec": spec })).expect("a policy")
    }

    #[test]
    fn only_a_policy_without_any_rule_isolates() {
        let both = json!(["Ingress", "Egress"]);
        let ours = json!({ "matchLabels": { "app.kubernetes.io/managed-by": "basis" } });
        assert!(isolates(&policy(json!({ "podSelector": {}, "policyTypes": both }))));
        assert!(isolates(&policy(json!({ "podSelector": ours, "policyTypes": both, "egress": [] }))));
        assert!(!isolates(&policy(json!({ "podSelector": ours, "policyTypes": both, "egress": [{}] }))));
        assert!(!isolates(&policy(json!({ "podSelector": ours, "policyTypes": ["Ingress"] }))));
        let others = json!({ "matchLabels": { "app": "else" } });
        assert!(!isolates(&policy(json!({ "podSelector": others, "policyTypes": both }))));
    }

    #[test]
    fn old_servers_are_refused_and_odd_numbers_understood() {
        assert!(check_version("1", "29").is_err());
        assert!(check_version("1", "30+").is_ok());
        assert!(check_version("1", "36").is_ok());
    }

    #[test]
    fn a_run_is_dead_when_its_time_is_over() {
        let mut map = object("one");
        assert!(!expired(&map, now()));
        assert!(expired(&map, now() + 301));
        map.annotations_mut().clear();
        assert!(!expired(&map, now()), "it is not one of ours");
    }
}
