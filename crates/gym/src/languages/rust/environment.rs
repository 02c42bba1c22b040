//! What the code of one crate is built and tested in: the toolchain, the crates that it depends on, and those crates as they were built
//! before; all read-only, all offline.
//!
//! The manifest and the lock, which [`TestSetup::requirements`] holds as whole texts in this order, say what is needed. Crates are fetched on
//! the host, where nothing of them is run; they are built in a sandbox, because build scripts are code. What was built is an archive
//! that a wrapper around cargo unpacks when it is first called in a sandbox.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Mount, Outcome, SandboxSpec};

use super::manifest::{self, Manifest};
use super::{RustError, Toolchain};
use crate::languages::{Surroundings, WORKDIR};
use crate::project::TestSetup;
use crate::tree::LayerStore;

/// Where the configuration, the crates and the wrapper are in a sandbox.
const HOME: &str = "/opt/cargo";
/// Where a sandbox builds.
pub(super) const TARGET: &str = "/tmp/target";
/// Where the archive of what was built before is in a sandbox, if there is one, and its name.
const BUILT: &str = "/opt/built";
const ARCHIVE: &str = "target.tar";
/// Building all dependencies may take this long.
const BUILD_WALL: Duration = Duration::from_secs(1800);
/// Longer archives are not kept.
const LONGEST_ARCHIVE: u64 = 2 << 30;

/// A compiler needs more than an interpreter.
const LEAST_MEMORY: u64 = 2 << 30;
const LEAST_DISK: u64 = 1 << 30;
const LEAST_PROCESSES: u64 = 256;
/// Cargo says a line per crate.
const LEAST_OUTPUT: u64 = 8 << 20;

/// A toolchain with the crates that one crate needs.
#[derive(Debug, Clone)]
pub struct Environment {
    toolchain: Toolchain,
    setup: TestSetup,
    pub(super) manifest: std::sync::Arc<Manifest>,
    home: PathBuf,
    built: Option<PathBuf>,
    surroundings: Surroundings,
}

impl Environment {
    /// Makes the environment, or takes its layers from `store` when they are there.
    ///
    /// # Errors
    /// [`RustError`] when crates cannot be fetched or built.
    pub fn prepare(
        backend: &dyn Backend,
        store: &LayerStore,
        toolchain: Toolchain,
        setup: &TestSetup,
        surroundings: Surroundings,
    ) -> Result<Self, RustError> {
        let [text, lock] = setup.requirements.as_slice() else {
            return Err(RustError::Manifest { reason: "the setup lacks the manifest and the lock".to_owned() });
        };
        let manifest = Manifest::read(text)?;
        manifest::only_registry(lock)?;
        let key = key(&toolchain, text, lock);
        let fetched =
            build(store, &format!("crates-{key}"), &|directory| fetch(&toolchain, &manifest, text, lock, directory))?;
        let own = Self {
            toolchain,
            setup: setup.clone(),
            manifest: manifest.into(),
            home: fetched,
            built: None,
            surroundings,
        };
        if !manifest::has_dependencies(lock) {
            return Ok(own);
        }
        let built = build(store, &format!("built-{key}"), &|directory| {
            own.build_dependencies(backend, store, text, lock, directory)
        })?;
        Ok(Self { built: Some(built), ..own })
    }

    /// How tests are run.
    pub fn setup(&self) -> &TestSetup {
        &self.setup
    }

    /// A sandbox with the project's tree made of `layers`, lowest first.
    pub fn spec(&self, layers: Vec<PathBuf>, limits: Limits) -> SandboxSpec {
        let limits = Limits {
            memory_bytes: limits.memory_bytes.max(LEAST_MEMORY),
            disk_bytes: limits.disk_bytes.max(LEAST_DISK),
            processes: limits.processes.max(LEAST_PROCESSES),
            output_bytes: limits.output_bytes.max(LEAST_OUTPUT),
            ..limits
        };
        let (root, workdir) = (Vec::new(), WORKDIR.to_owned());
        SandboxSpec { root, layers, workdir, mounts: self.mounts(), env: self.variables(), limits }
    }

    fn mounts(&self) -> Vec<Mount> {
        let mut mounts = vec![Mount { source: self.home.clone(), target: HOME.to_owned() }];
        mounts.extend(self.built.clone().map(|source| Mount { source, target: BUILT.to_owned() }));
        let root = &self.toolchain.root;
        if !root.starts_with("/usr") {
            mounts.push(Mount { source: root.clone(), target: root.display().to_string() });
        }
        mounts
    }

    fn variables(&self) -> BTreeMap<String, String> {
        [
            ("PATH", format!("{HOME}/bin:{}/bin:/usr/local/bin:/usr/bin:/bin", self.toolchain.root.display())),
            ("CARGO_HOME", HOME.to_owned()),
            ("CARGO_TARGET_DIR", TARGET.to_owned()),
            ("CARGO_NET_OFFLINE", "true".to_owned()),
            ("CARGO_INCREMENTAL", "0".to_owned()),
            ("CARGO_TERM_COLOR", "never".to_owned()),
            ("CARGO_PROFILE_DEV_DEBUG", "0".to_owned()),
            ("CARGO_PROFILE_TEST_DEBUG", "0".to_owned()),
            // What a newer compiler warns of is no reason for a crate to fail.
            ("RUSTFLAGS", "--cap-lints=allow".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", self.surroundings.time_zone.to_owned()),
            ("HOME", "/tmp".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Builds everything that the manifest asks for but the crate itself, and fills `directory` with it.
    fn build_dependencies(
        &self,
        backend: &dyn Backend,
        store: &LayerStore,
        text: &str,
        lock: &str,
        directory: &Path,
    ) -> Result<(), RustError> {
        let stub = store.layer(&self.manifest.stub(text, lock))?;
        let limits = Limits { wall: BUILD_WALL, disk_bytes: 2 * LONGEST_ARCHIVE, files: 1 << 20, ..Limits::default() };
        let mut sandbox = backend.create(&self.spec(vec![stub], limits))?;
        let name = &self.manifest.name;
        let steps = format!(
            "cargo build --offline --locked --tests --quiet && cargo clean --offline --quiet -p {name} && \
             tar -cf {ARCHIVE} -C /tmp target"
        );
        let output = sandbox.exec(&Command::new(["sh", "-c", &steps]))?;
        if output.outcome != Outcome::Exited(0) {
            return Err(RustError::Dependencies { step: "built", reason: last_lines(&output.stderr.text()) });
        }
        std::fs::write(directory.join(ARCHIVE), sandbox.read(ARCHIVE, LONGEST_ARCHIVE)?)?;
        Ok(sandbox.destroy()?)
    }
}

fn key(toolchain: &Toolchain, text: &str, lock: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [toolchain.version.as_str(), &toolchain.root.display().to_string(), text, lock, "2"] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// [`LayerStore::build`] with errors of this module.
fn build(store: &LayerStore, key: &str, fill: &dyn Fn(&Path) -> Result<(), RustError>) -> Result<PathBuf, RustError> {
    let mut failure = std::cell::Cell::new(None);
    let built = store.build(key, &|directory| {
        fill(directory).map_err(|error| {
            failure.set(Some(error));
            std::io::Error::other("it was not filled")
        })
    });
    built.map_err(|error| failure.get_mut().take().unwrap_or(RustError::Io(error)))
}

/// Fetches the crates of a lock, with the registry and the proxies that the user's cargo is configured for.
fn fetch(
    toolchain: &Toolchain,
    manifest: &Manifest,
    text: &str,
    lock: &str,
    directory: &Path,
) -> Result<(), RustError> {
    let vendor = directory.join("vendor");
    if manifest::has_dependencies(lock) {
        // Without the files of the crate: its configuration must not be read.
        let stub = directory.join("stub");
        std::fs::create_dir(&stub)?;
        manifest.stub(text, lock).write_to(&stub)?;
        let mut cargo = Process::new(toolchain.cargo());
        cargo.args(["vendor", "--locked", "--quiet", "--respect-source-config"]).arg(&vendor).current_dir(&stub);
        run(&mut cargo, "fetched")?;
        std::fs::remove_dir_all(&stub)?;
    } else {
        std::fs::create_dir(&vendor)?;
    }
    write_home(directory, toolchain)
}

/// Resolves what a manifest asks for: the text of the lock, and the date that it kept to. That is `before` if the registry says when its packages were
/// published and they suffice, else none, and the versions are those of today. It is kept in `store`, so that the answer stays the same.
///
/// # Errors
/// [`RustError`] when something cannot be resolved.
pub fn resolve(
    store: &LayerStore,
    toolchain: &Toolchain,
    text: &str,
    before: Option<&str>,
) -> Result<(String, Option<String>), RustError> {
    let stub = Manifest::read(text)?.stub(text, "");
    let resolved = |before: Option<&str>| -> Result<String, RustError> {
        let key = format!("lock-{}{}", stub.id().0, before.map(|date| format!("-{date}")).unwrap_or_default());
        let directory = build(store, &key, &|directory| {
            stub.write_to(directory)?;
            run(lockfile(toolchain, before).current_dir(directory), "resolved")
        })?;
        Ok(std::fs::read_to_string(directory.join("Cargo.lock"))?)
    };
    match before.map(|date| resolved(Some(date))) {
        Some(Ok(lock)) => Ok((lock, before.map(str::to_owned))),
        _ => Ok((resolved(None)?, None)),
    }
}

/// Cargo 1.95 keeps to a date, behind a switch for what may still change. Crates of a registry that gives no dates count as old.
fn lockfile(toolchain: &Toolchain, before: Option<&str>) -> Process {
    let mut cargo = Process::new(toolchain.cargo());
    cargo.args(["generate-lockfile", "--quiet"]);
    if let Some(date) = before {
        cargo.args(["-Zunstable-options", "--publish-time", &format!("{date}T00:00:00Z")]).env("RUSTC_BOOTSTRAP", "1");
    }
    cargo
}

/// Fetches a crate by name and requirement; gives its directory and its version. It is kept in `store`.
///
/// # Errors
/// [`RustError`] when there is no such crate.
pub fn fetch_crate(
    store: &LayerStore,
    toolchain: &Toolchain,
    name: &str,
    requirement: &str,
) -> Result<(PathBuf, String), RustError> {
    let wanted = format!(
        "[package]\nname = \"basis-fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[dependencies]\n{name} = \"{requirement}\"\n"
    );
    let key = &blake3::hash(wanted.as_bytes()).to_hex()[..32];
    let fetched = build(store, &format!("crate-{key}"), &|directory| {
        std::fs::write(directory.join("Cargo.toml"), &wanted)?;
        std::fs::create_dir(directory.join("src"))?;
        std::fs::write(directory.join("src/lib.rs"), "")?;
        let mut cargo = Process::new(toolchain.cargo());
        cargo.args(["vendor", "--quiet", "--respect-source-config"]).arg("vendor").current_dir(directory);
        run(&mut cargo, "fetched")
    })?;
    let directory = fetched.join("vendor").join(name);
    let manifest = Manifest::read(&std::fs::read_to_string(directory.join("Cargo.toml"))?)?;
    Ok((directory, manifest.version))
}

fn run(cargo: &mut Process, step: &'static str) -> Result<(), RustError> {
    let output = cargo.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(RustError::Dependencies { step, reason: last_lines(&String::from_utf8_lossy(&output.stderr)) }),
    }
}

/// The configuration that takes crates from where they are, and the wrapper.
fn write_home(directory: &Path, toolchain: &Toolchain) -> Result<(), RustError> {
    let config = format!(
        "[source.crates-io]\nreplace-with = \"vendored\"\n\n[source.vendored]\ndirectory = \"{HOME}/vendor\"\n"
    );
    std::fs::write(directory.join("config.toml"), config)?;
    let wrapper = format!(
        "#!/bin/sh\n# What was built before does not have to be built again.\n\
         if [ ! -e {TARGET} ] && [ -f {BUILT}/{ARCHIVE} ]; then tar -xf {BUILT}/{ARCHIVE} -C /tmp; fi\nexec {} \"$@\"\n",
        toolchain.cargo().display()
    );
    std::fs::create_dir(directory.join("bin"))?;
    let path = directory.join("bin/cargo");
    std::fs::write(&path, wrapper)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}
