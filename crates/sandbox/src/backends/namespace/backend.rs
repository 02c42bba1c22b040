//! The backend: checks specifications and has boxes made of them.

use std::path::Path;
use std::sync::Arc;

use super::client::Client;
use super::groups::Controller;
use super::protocol::{BoxMount, BoxSpec, Watch};
use super::root;
use super::sandbox::BoxSandbox;
use crate::backends::trial;
use crate::{Backend, Enforcement, Mount, Sandbox, SandboxError, SandboxSpec, Strength};

/// The name in the registry.
pub(super) const NAME: &str = "namespace";

/// Opens the backend and runs one command in one box, which proves that the machine can.
///
/// Raises this process's soft limit of open files to the hard one: every live sandbox holds five, or two where there are many.
pub(in crate::backends) fn open() -> Result<Arc<dyn Backend>, SandboxError> {
    raise_open_files();
    // Groups can be made but not entered on some machines; then the boxes watch themselves.
    open_with(Controller::ALL).or_else(|_| open_with(&[Controller::Memory])).or_else(|_| open_with(&[]))
}

fn open_with(controllers: &[Controller]) -> Result<Arc<dyn Backend>, SandboxError> {
    let backend = NamespaceBackend { client: Arc::new(Client::start(controllers)?) };
    probe(&backend).map_err(|error| match error {
        SandboxError::Unavailable { .. } => error,
        other => SandboxError::Unavailable { backend: NAME, reason: other.to_string() },
    })?;
    Ok(Arc::new(backend))
}

fn probe(backend: &NamespaceBackend) -> Result<(), SandboxError> {
    let processors = backend.client.groups().keep(Controller::Processors).then_some(1000);
    let limits = crate::Limits { millicpus: processors, ..crate::Limits::default() };
    trial::run(NAME, backend.create(&trial::spec(limits))?)
}

pub(in crate::backends) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Raising the soft limit to the hard one is always allowed.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

struct NamespaceBackend {
    client: Arc<Client>,
}

impl Backend for NamespaceBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        let entry = |limit, strength, how: &str| Enforcement { limit, strength, how: how.into() };
        let group = |controller| self.client.groups().describe(controller);
        let memory = match group(Controller::Memory) {
            Some(group) => entry("memory", Strength::Enforced, &format!("{group}, files in its tmpfs included")),
            None => {
                let watched = "each process by RLIMIT_DATA, and the sum is sampled 20 times a second";
                entry("memory", Strength::Watched, watched)
            }
        };
        let counted = "RLIMIT_NPROC, counted in the box's user namespace";
        let processes = group(Controller::Processes).map_or(counted.into(), |group| format!("{counted}, and {group}"));
        let cpu = match group(Controller::Processors) {
            Some(group) => entry("cpu", Strength::Enforced, &format!("{group} that has this limit")),
            None => entry("cpu", Strength::Absent, "all sandboxes share the processors as processes do"),
        };
        vec![
            entry("wall", Strength::Enforced, "the controller kills everything in the pid namespace at the deadline"),
            memory,
            entry("processes", Strength::Enforced, &processes),
            cpu,
            entry("output", Strength::Enforced, "read and thrown away after the limit, killed far above it"),
            entry("disk", Strength::Enforced, "size of the tmpfs that holds every writable file"),
            entry("files", Strength::Enforced, "inodes of that tmpfs"),
            entry("network", Strength::Enforced, "a network namespace with nothing but loopback"),
        ]
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        let groups = self.client.groups();
        if spec.limits.millicpus.is_some() && !groups.keep(Controller::Processors) {
            // A limit that nothing keeps would be a promise that is not held.
            let reason = "it may not make control groups of the controller `cpu`, so it cannot limit the processors of a sandbox; run \
                          as root or with `systemd-run --user --scope -p Delegate=yes`, or set no such limit"
                .into();
            return Err(SandboxError::Unavailable { backend: NAME, reason });
        }
        let checked = check(spec, groups.leave())?;
        let new = self.client.create(&checked)?;
        let spec = SandboxSpec { layers: checked.layers, ..spec.clone() };
        Ok(Box::new(BoxSandbox::over(&spec, new)?))
    }
}

pub(in crate::backends) fn check(spec: &SandboxSpec, watch: Watch) -> Result<BoxSpec, SandboxError> {
    let wrong = |path: &Path, reason: &str| SandboxError::Spec { path: path.into(), reason: reason.into() };
    if spec.layers.is_empty() && spec.root.is_empty() {
        return Err(wrong(Path::new(&spec.workdir), "at least one layer must be shown here"));
    }
    for layer in spec.root.iter().chain(&spec.layers) {
        if !layer.is_absolute() || !layer.is_dir() {
            return Err(wrong(layer, "a layer must be the absolute path of a directory"));
        }
    }
    for mount in &spec.mounts {
        if !mount.source.is_absolute() || !mount.source.exists() {
            return Err(wrong(&mount.source, "a mount must be the absolute path of a file or directory"));
        }
    }
    for target in spec.mounts.iter().map(|mount| &mount.target).chain([&spec.workdir]) {
        if !is_target(target) {
            return Err(wrong(
                Path::new(target),
                "a place in the sandbox must be an absolute path without `.` or `..`",
            ));
        }
    }
    let layers = if spec.layers.is_empty() { root::layers_at(&spec.root, &spec.workdir)? } else { spec.layers.clone() };
    Ok(BoxSpec {
        root: spec.root.clone(),
        layers,
        workdir: spec.workdir.clone(),
        mounts: spec.mounts.iter().map(show).collect(),
        limits: spec.limits.clone(),
        watch,
        filled: false,
    })
}

fn show(mount: &Mount) -> BoxMount {
    BoxMount { source: mount.source.clone(), target: (mount.target.clone(), mount.source.is_dir()) }
}

/// Whether `path` is absolute and written in the one normal way, and not the root.
fn is_target(path: &str) -> bool {
    let ordinary = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(ordinary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Limits};

    /// Groups of boxes that limit memory, with their limit and how many processes they have.
    fn memory_groups(parent: &Path) -> Vec<(String, usize)> {
        let read = |path: &Path, name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
        let groups = std::fs::read_dir(parent).expect("listed").flatten().map(|entry| entry.path());
        let known = groups.filter(|path| path.is_dir());
        known
            .map(|path| {
                (read(&path, "memory.limit_in_bytes").trim().into(), read(&path, "cgroup.procs").lines().count())
            })
            .collect()
    }

    #[test]
    fn a_box_that_waits_has_no_memory_group_and_one_that_is_used_is_in_it_with_its_keeper() {
        let Ok(client) = Client::start(&[Controller::Memory]) else { return eprintln!("skipped: no namespaces") };
        let Some(parent) = client.groups().parent_of_version_one(Controller::Memory) else {
            return eprintln!("skipped: no groups of version 1 that limit memory");
        };
        let backend = NamespaceBackend { client: Arc::new(client) };
        let memory = 64 << 20;
        let spec = trial::spec(Limits { memory_bytes: memory, ..Limits::default() });
        type Use = fn(&mut dyn Sandbox);
        let mut uses: [(&str, Use); 3] = [
            ("a command", |sandbox| drop(sandbox.exec(&Command::new(["true"])).expect("ran"))),
            ("a file", |sandbox| sandbox.write("file", b"text").expect("written")),
            ("a line", |sandbox| {
                drop(sandbox.shell(&crate::ShellLine::new("true"), &mut |_, _| ()).expect("ran"));
            }),
        ];
        let mut living = Vec::new();
        for (count, (what, action)) in uses.iter_mut().enumerate() {
            let mut sandbox = backend.create(&spec).expect("created");
            assert_eq!(memory_groups(&parent).len(), count, "before {what}");
            action(sandbox.as_mut());
            let groups = memory_groups(&parent);
            assert_eq!(groups.len(), count + 1, "after {what}");
            for (limit, processes) in groups {
                assert_eq!(limit, memory.to_string(), "{what}");
                assert!(processes >= 2, "{what}: a keeper and its box, not {processes}");
            }
            living.push(sandbox);
        }
        let mut idle = backend.create(&spec).expect("created");
        let copy = idle.fork().expect("forked");
        assert_eq!(
            memory_groups(&parent).len(),
            living.len() + 1,
            "the copy was given files, the other one was not used"
        );
        drop((idle, copy, living));
    }
}
