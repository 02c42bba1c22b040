//! What a JavaScript project's code runs in: node, packages, test runner; all read-only, all offline.
//!
//! Packages are shown at `/node_modules`, where node looks after everything that the project itself holds; the project's tree stays as
//! it is. Layers are addressed by content and shared by all sandboxes.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use basis_sandbox::{Limits, Mount, SandboxSpec};

use super::{JavaScriptError, Toolchain, dependencies};
use crate::languages::{Surroundings, WORKDIR};
use crate::project::TestSetup;
use crate::tree::LayerStore;

/// Where the shipped runner is inside.
pub(super) const RUNNER: &str = "/opt/basis";
/// Where the packages are inside.
const PACKAGES: &str = "/node_modules";

const RUNNER_FILES: &[(&str, &str)] = &[
    ("channel.mjs", include_str!("basis_runner/channel.mjs")),
    ("evaluate.mjs", include_str!("basis_runner/evaluate.mjs")),
    ("file.mjs", include_str!("basis_runner/file.mjs")),
    ("jest.mjs", include_str!("basis_runner/jest.mjs")),
    ("jest_reporter.mjs", include_str!("basis_runner/jest_reporter.mjs")),
    ("main.mjs", include_str!("basis_runner/main.mjs")),
    ("mocha.mjs", include_str!("basis_runner/mocha.mjs")),
    ("mocha_file.mjs", include_str!("basis_runner/mocha_file.mjs")),
    ("node_test.mjs", include_str!("basis_runner/node_test.mjs")),
    ("reporter.mjs", include_str!("basis_runner/reporter.mjs")),
    ("values.mjs", include_str!("basis_runner/values.mjs")),
    ("vitest.mjs", include_str!("basis_runner/vitest.mjs")),
    ("vitest_reporter.mjs", include_str!("basis_runner/vitest_reporter.mjs")),
];

/// Node with the packages and the runner that a project needs.
#[derive(Debug, Clone)]
pub struct Environment {
    toolchain: Toolchain,
    setup: TestSetup,
    runner: PathBuf,
    packages: Option<PathBuf>,
    surroundings: Surroundings,
}

impl Environment {
    /// Makes the environment, or takes its layers from `store` when they are there.
    ///
    /// # Errors
    /// [`JavaScriptError`] when packages cannot be fetched, or a layer cannot be written.
    pub fn prepare(
        store: &LayerStore,
        toolchain: Toolchain,
        setup: &TestSetup,
        surroundings: Surroundings,
    ) -> Result<Self, JavaScriptError> {
        let runner = runner_layer(store, &toolchain)?;
        let packages = dependencies::install(store, &toolchain, &setup.requirements)?;
        Ok(Self { toolchain, setup: setup.clone(), runner, packages, surroundings })
    }

    pub(super) fn setup(&self) -> &TestSetup {
        &self.setup
    }

    pub(super) fn serves(&self, setup: &TestSetup) -> bool {
        (self.setup.runner, &self.setup.requirements) == (setup.runner, &setup.requirements)
    }

    pub(super) fn spec(&self, layers: Vec<PathBuf>, limits: Limits) -> SandboxSpec {
        let (root, workdir) = (Vec::new(), WORKDIR.to_owned());
        SandboxSpec { root, layers, workdir, mounts: self.mounts(), env: self.variables(), limits }
    }

    fn mounts(&self) -> Vec<Mount> {
        let at = |source: &PathBuf, target: &str| Mount { source: source.clone(), target: target.to_owned() };
        let shown = &self.toolchain.host_directories;
        let mut mounts: Vec<Mount> = shown.iter().map(|path| at(path, &path.display().to_string())).collect();
        mounts.push(at(&self.runner, RUNNER));
        mounts.extend(self.packages.iter().map(|packages| at(packages, PACKAGES)));
        mounts
    }

    fn variables(&self) -> BTreeMap<String, String> {
        [
            ("PATH", format!("{RUNNER}/bin:/usr/local/bin:/usr/bin:/bin")),
            ("NO_COLOR", "1".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", self.surroundings.time_zone.to_owned()),
            ("HOME", "/tmp".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

fn runner_layer(store: &LayerStore, toolchain: &Toolchain) -> std::io::Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    for (name, text) in RUNNER_FILES {
        hasher.update(name.as_bytes()).update(text.as_bytes());
    }
    hasher.update(toolchain.version.as_bytes()).update(toolchain.executable.as_os_str().as_encoded_bytes());
    let key = format!("node-runner-{}", &hasher.finalize().to_hex()[..32]);
    store.build(&key, &|directory| {
        std::fs::create_dir(directory.join("bin"))?;
        symlink(&toolchain.executable, directory.join("bin/node"))?;
        RUNNER_FILES.iter().try_for_each(|(name, text)| std::fs::write(directory.join(name), text))
    })
}
