//! From a specification to the pod that is asked for. Nothing is asked here.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::cause::{AGENT, KEEPER};
use super::run::{MANAGED, RUN};
use super::upload::{Bundle, Shown};
use super::{script, tree};
use crate::SandboxSpec;
use crate::backends::{KubernetesOptions, Medium};

/// What the keeper needs beside the files that it holds.
const KEEPER_MEMORY: u64 = 64 << 20;
/// Places that a sandbox may write to beside its working directory, and what they are called in the volume.
const WRITABLE: [(&str, &str); 3] = [("/tmp", "tmp"), ("/var/tmp", "vartmp"), ("/dev/shm", "shm")];
/// Users are taken from here, so many of them.
const FIRST_USER: u64 = 100_000;
const USERS: u64 = 1_000_000_000;

/// What a pod is made from.
pub(super) struct Plan<'a> {
    pub(super) name: &'a str,
    pub(super) run: &'a str,
    pub(super) owner: &'a OwnerReference,
    pub(super) options: &'a KubernetesOptions,
    pub(super) spec: &'a SandboxSpec,
    pub(super) bundle: &'a Bundle,
}

impl Plan<'_> {
    /// The pod.
    pub(super) fn pod(&self) -> Pod {
        let options = self.options;
        let mut pod = json!({
            "metadata": {
                "name": self.name,
                "labels": { MANAGED.0: MANAGED.1, RUN: self.run },
                "ownerReferences": [self.owner],
            },
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": options.lease.as_secs().max(1),
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "shareProcessNamespace": false,
                "dnsPolicy": "None",
                // There must be one; nothing answers there.
                "dnsConfig": { "nameservers": ["127.0.0.1"] },
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": user(self.name),
                    "runAsGroup": user(self.name),
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "containers": [self.agent(), self.keeper()],
                "volumes": self.volumes(),
            },
        });
        if let Some(class) = &options.runtime_class {
            pod["spec"]["runtimeClassName"] = json!(class);
        }
        if let Some(first) = self.first() {
            pod["spec"]["initContainers"] = json!([first]);
        }
        serde_json::from_value(pod).expect("this is a pod, tests read it")
    }

    fn agent(&self) -> Value {
        let mut mounts = vec![
            json!({ "name": "control", "mountPath": "/basis", "subPath": "agent", "readOnly": true }),
            json!({ "name": "work", "mountPath": self.spec.workdir, "subPath": "work" }),
        ];
        mounts.extend(WRITABLE.map(|(path, place)| json!({ "name": "work", "mountPath": path, "subPath": place })));
        mounts.extend(self.bundle.shown.iter().map(show));
        let cpu = self.spec.limits.millicpus.unwrap_or_else(|| milli(self.options.cpus));
        let memory = self.spec.limits.memory_bytes;
        let limits = json!({ "cpu": format!("{cpu}m"), "memory": memory.to_string(), "ephemeral-storage": self.ephemeral().to_string() });
        let requests = json!({ "cpu": format!("{}m", cpu.min(100)), "memory": memory.to_string(), "ephemeral-storage": self.ephemeral().to_string() });
        let program = json!(["sh", "-c", script::CLOSED, "agent", script::AGENT]);
        self.container(AGENT, program, mounts, json!({ "limits": limits, "requests": requests }))
    }

    fn keeper(&self) -> Value {
        let mounts = vec![
            json!({ "name": "control", "mountPath": "/basis/control" }),
            json!({ "name": "work", "mountPath": "/basis/volumes/work" }),
            json!({ "name": "environment", "mountPath": "/basis/volumes/environment" }),
        ];
        let held = if self.options.medium == Medium::Memory { self.work_size() } else { 0 };
        let memory = (KEEPER_MEMORY + held).to_string();
        let limits = json!({ "cpu": "1", "memory": memory });
        let requests = json!({ "cpu": "10m", "memory": (KEEPER_MEMORY / 4).to_string() });
        self.container(
            KEEPER,
            json!(["sh", "-c", script::KEEPER]),
            mounts,
            json!({ "limits": limits, "requests": requests }),
        )
    }

    /// Makes, as the pod's user, what other things are mounted on; the node would make it as root.
    fn first(&self) -> Option<Value> {
        let commands: Vec<String> = self.bundle.shown.iter().flat_map(|shown| self.under(shown)).collect();
        if commands.is_empty() {
            return None;
        }
        let mounts = vec![
            json!({ "name": "work", "mountPath": "/basis/volumes/work" }),
            json!({ "name": "environment", "mountPath": "/basis/volumes/environment" }),
        ];
        let text = format!("cd /basis/volumes && {}", commands.join(" && "));
        let limits = json!({ "cpu": "1", "memory": KEEPER_MEMORY.to_string() });
        Some(self.container(
            "first",
            json!(["sh", "-c", text]),
            mounts,
            json!({ "limits": limits, "requests": limits }),
        ))
    }

    fn under(&self, shown: &Shown) -> Vec<String> {
        let mut commands = Vec::new();
        if shown.is_file {
            commands.push(format!(": > environment/{}", shown.place));
        }
        let writable = WRITABLE.iter().copied().chain([(self.spec.workdir.as_str(), "work")]);
        for (path, place) in writable {
            let Some(below) = shown.target.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let at = format!("work/{place}/{below}");
            if shown.is_file {
                let (parent, _) = at.rsplit_once('/').expect("it is below a place");
                commands.push(format!("mkdir -p {} && : > {}", script::quote(parent), script::quote(&at)));
            } else {
                commands.push(format!("mkdir -p {}", script::quote(&at)));
            }
        }
        commands
    }

    fn container(&self, name: &str, program: Value, mounts: Vec<Value>, resources: Value) -> Value {
        json!({
            "name": name,
            "image": self.options.image,
            "command": program,
            "workingDir": "/",
            "volumeMounts": mounts,
            "resources": resources,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "privileged": false,
                "capabilities": { "drop": ["ALL"] },
            },
        })
    }

    fn volumes(&self) -> Value {
        let medium = match self.options.medium {
            Medium::Memory => "Memory",
            Medium::Disk => "",
        };
        json!([
            { "name": "control", "emptyDir": { "medium": "Memory", "sizeLimit": (16 << 20).to_string() } },
            { "name": "work", "emptyDir": { "medium": medium, "sizeLimit": self.work_size().to_string() } },
            { "name": "environment", "emptyDir": { "sizeLimit": self.environment_size().to_string() } },
        ])
    }

    /// The files at the beginning, and what may be written.
    fn work_size(&self) -> u64 {
        tree::size(&self.bundle.work) + self.spec.limits.disk_bytes
    }

    fn environment_size(&self) -> u64 {
        self.bundle.environment_size() * 5 / 4 + (16 << 20)
    }

    /// Everything that the pod has on the node's disk.
    fn ephemeral(&self) -> u64 {
        let work = if self.options.medium == Medium::Disk { self.work_size() } else { 0 };
        self.environment_size() + work + (64 << 20)
    }
}

fn show(shown: &Shown) -> Value {
    json!({ "name": "environment", "mountPath": shown.target, "subPath": shown.place, "readOnly": true })
}

fn milli(cpus: f64) -> u64 {
    (cpus * 1000.0).ceil().max(1.0) as u64
}

/// A user of its own for each pod, because the kernel counts processes by user.
pub(super) fn user(name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    FIRST_USER + hash % USERS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Limits, Mount};

    /// Everything that keeps a hostile command in.
    #[test]
    fn a_pod_has_no_rights_no_token_no_names_and_a_lease() {
        let layer = tempfile::tempdir().expect("made");
        std::fs::write(layer.path().join("file"), "text").expect("written");
        let mount = |target: &str, source: &str| Mount { source: layer.path().join(source), target: target.into() };
        let spec = SandboxSpec {
            root: Vec::new(),
            layers: vec![layer.path().into()],
            workdir: "/work".into(),
            mounts: vec![mount("/opt/tools", ""), mount("/work/it's", "file")],
            env: BTreeMap::new(),
            limits: Limits::default(),
        };
        let options = KubernetesOptions { image: "registry.example/image:1".into(), ..KubernetesOptions::default() };
        let bundle = Bundle::gather(&spec, &[]).expect("read");
        let owner = OwnerReference { name: "basis-run-1".into(), uid: "u".into(), ..OwnerReference::default() };
        let plan = Plan { name: "basis-1-1", run: "1", owner: &owner, options: &options, spec: &spec, bundle: &bundle };
        let pod = serde_json::to_value(plan.pod()).expect("JSON");
        let said = |path: &str| pod.pointer(path).unwrap_or_else(|| panic!("nothing at {path}")).clone();
        assert_eq!(said("/spec/restartPolicy"), "Never");
        assert_eq!(said("/spec/activeDeadlineSeconds"), 3600);
        assert_eq!(said("/spec/automountServiceAccountToken"), false);
        assert_eq!(said("/spec/enableServiceLinks"), false);
        assert_eq!(said("/spec/dnsPolicy"), "None");
        assert_eq!(said("/spec/securityContext/runAsNonRoot"), true);
        assert_eq!(said("/spec/securityContext/runAsUser"), user("basis-1-1"));
        assert_eq!(said("/spec/securityContext/seccompProfile/type"), "RuntimeDefault");
        assert_eq!(said("/metadata/ownerReferences/0/name"), "basis-run-1");
        for container in ["/spec/containers/0", "/spec/containers/1", "/spec/initContainers/0"] {
            let within = |path: &str| said(&format!("{container}{path}"));
            assert_eq!(within("/securityContext/readOnlyRootFilesystem"), true);
            assert_eq!(within("/securityContext/allowPrivilegeEscalation"), false);
            assert_eq!(within("/securityContext/capabilities/drop"), json!(["ALL"]));
            assert!(within("/resources/limits/memory").is_string() && within("/resources/limits/cpu").is_string());
        }
        assert_eq!(said("/spec/containers/0/resources/limits/memory"), (1_u64 << 30).to_string());
        assert_eq!(said("/spec/volumes/1/emptyDir/sizeLimit"), (4096 + (64_u64 << 20)).to_string());
        let script = said("/spec/initContainers/0/command/2");
        assert_eq!(
            script,
            "cd /basis/volumes && : > environment/m1 && mkdir -p 'work/work' && : > 'work/work/it'\\''s'"
        );
    }
}
