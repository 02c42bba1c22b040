//! From a specification to the container that the engine is asked for.

use serde_json::{Value, json};

use super::engine::Info;
use super::stage::{self, Stage};
use crate::SandboxSpec;
use crate::backends::namespace::layout::{self, is_below};

/// Says who made a container.
pub(super) const LABEL: &str = "io.basis.sandbox.controller";

/// What a container is asked for with.
pub(super) struct Request<'a> {
    pub(super) spec: &'a SandboxSpec,
    pub(super) stage: &'a Stage,
    pub(super) image: &'a str,
    pub(super) owner: &'a str,
    /// The user as which it runs, in the engine's user namespace.
    pub(super) user: u32,
    /// Which limits the engine can keep; it is not asked for the others.
    pub(super) info: &'a Info,
}

impl Request<'_> {
    /// The body of the call that creates it.
    pub(super) fn body(&self) -> Value {
        let limits = &self.spec.limits;
        // The first process counts, too.
        let processes = limits.processes.saturating_add(1);
        let mut host = json!({
            "NetworkMode": "none",
            "IpcMode": "private",
            "ReadonlyRootfs": true,
            "Privileged": false,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "AutoRemove": true,
            "Init": false,
            "LogConfig": { "Type": "none" },
            "ShmSize": 65536,
            // Given in full: the defaults of engines fail where they are above what the engine itself may have.
            "Ulimits": [ulimit("core", 0), ulimit("nofile", 1024), ulimit("nproc", processes + 8)],
            "Mounts": self.mounts(),
        });
        let info = self.info;
        let kept = [
            (info.memory_limit, "Memory", Some(limits.memory_bytes)),
            (info.memory_limit && info.swap_limit, "MemorySwap", Some(limits.memory_bytes)),
            (info.pids_limit, "PidsLimit", Some(processes)),
            (info.cpu_quota, "NanoCpus", limits.millicpus.map(|share| share.saturating_mul(1_000_000))),
        ];
        for (possible, name, value) in kept {
            if let Some(value) = value.filter(|_| possible) {
                host[name] = json!(value);
            }
        }
        json!({
            "Image": self.image,
            "Hostname": "sandbox",
            "User": format!("{0}:{0}", self.user),
            "Entrypoint": self.stage.command,
            "Cmd": [],
            "Env": [],
            "WorkingDir": "/",
            "Labels": { LABEL: self.owner },
            "HostConfig": host,
        })
    }

    /// What the engine mounts: the host's system, the stage, and a mount point wherever the mounter will mount something.
    fn mounts(&self) -> Vec<Value> {
        let mut mounts = vec![bind(&self.stage.directory.to_string_lossy(), stage::INSIDE), bind("/usr", "/usr")];
        let directories =
            layout::SYSTEM.iter().filter(|path| std::fs::symlink_metadata(path).is_ok_and(|data| data.is_dir()));
        mounts.extend(directories.map(|path| bind(path, path)));
        let targets = self.spec.mounts.iter().map(|mount| (mount.target.as_str(), mount.source.is_dir()));
        let targets = targets.chain([(self.spec.workdir.as_str(), true)]);
        let places = targets.filter(|(target, _)| self.needs_place(target));
        mounts.extend(places.map(|(target, directory)| bind(&self.stage.empty(directory).to_string_lossy(), target)));
        mounts
    }

    /// Whether there is nothing yet at a target.
    fn needs_place(&self, target: &str) -> bool {
        if !self.spec.root.is_empty() {
            // It gets its mount points when it is put together.
            return false;
        }
        let system = is_below(target, "/usr") || layout::SYSTEM.iter().any(|system| is_below(target, system));
        let own = layout::PRIVATE.iter().any(|private| is_below(target, private));
        let kernel = ["/proc", "/sys", "/dev"].iter().any(|path| is_below(target, path));
        // What is mounted there brings the place, and the engine could not make it in an empty directory that is read-only.
        let others = self.spec.mounts.iter().map(|mount| &mount.target).chain([&self.spec.workdir]);
        let inside = others.into_iter().any(|other| target != other && is_below(target, other));
        !system && !own && !kernel && !inside
    }
}

fn ulimit(name: &str, value: u64) -> Value {
    json!({ "Name": name, "Soft": value, "Hard": value })
}

fn bind(source: &str, target: &str) -> Value {
    json!({ "Type": "bind", "Source": source, "Target": target, "ReadOnly": true, "BindOptions": { "Propagation": "rprivate" } })
}
