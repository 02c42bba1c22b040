//! What the tests of one project run in: interpreter, packages, shipped test runner; all read-only, all offline.
//!
//! An environment only knows how tests are run, not which trees: callers hand in the layers of a tree when they ask for a
//! [`SandboxSpec`]. Inside, the project is at [`WORKDIR`], `python3` and `python` are the environment's interpreter, and the project's
//! import roots and packages are importable.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use basis_sandbox::{Limits, Mount, SandboxSpec};

use super::dependencies::{self, Lock};
use super::{PythonError, Toolchain};
use crate::languages::{Surroundings, WORKDIR};
use crate::project::{RunnerKind, TestSetup};
use crate::tree::LayerStore;

/// Where the test runner and the links to the interpreter are.
pub(super) const RUNNER: &str = "/opt/basis";
/// Where the packages that tests need are.
pub(super) const PACKAGES: &str = "/opt/packages";

/// The runner's Python package below [`RUNNER`].
pub(super) const PACKAGE: &str = "basis_runner";
/// A directory of the runner's layer with nothing in it.
const EMPTY: &str = "empty";

const RUNNER_FILES: [(&str, &str); 13] = [
    ("__init__.py", include_str!("basis_runner/__init__.py")),
    ("beforehand.py", include_str!("basis_runner/beforehand.py")),
    ("call_recorder.py", include_str!("basis_runner/call_recorder.py")),
    ("channel.py", include_str!("basis_runner/channel.py")),
    ("collected.py", include_str!("basis_runner/collected.py")),
    ("coverage_recorder.py", include_str!("basis_runner/coverage_recorder.py")),
    ("early.py", include_str!("basis_runner/early.py")),
    ("evaluate.py", include_str!("basis_runner/evaluate.py")),
    ("plain.py", include_str!("basis_runner/plain.py")),
    // Pinned and empty, so that no configuration of the project is looked for.
    (
        "pytest.ini",
        "[pytest]
",
    ),
    ("reporter.py", include_str!("basis_runner/reporter.py")),
    ("symptom.py", include_str!("basis_runner/symptom.py")),
    ("warm.py", include_str!("basis_runner/warm.py")),
];

/// The files of the shipped test runner, by name, for those who run it elsewhere.
pub fn runner_files() -> &'static [(&'static str, &'static str)] {
    &RUNNER_FILES
}

/// Compiles the runner once, so that no test run has to; the files never change, so their times need no check.
const COMPILE: &str = "\
import py_compile, sys
for path in sys.argv[1:]:
    py_compile.compile(path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)";

/// An interpreter with the packages and the runner that one kind of project needs.
#[derive(Debug, Clone)]
pub struct Environment {
    toolchain: Toolchain,
    setup: TestSetup,
    runner: PathBuf,
    packages: Option<(PathBuf, Lock)>,
    surroundings: Surroundings,
}

impl Environment {
    /// Makes the environment, or takes its layers from `store` when they are there. Only pytest projects fetch anything, and only
    /// wheels: no code of any package runs on the host.
    ///
    /// # Errors
    /// [`PythonError`] when requirements cannot be resolved or fetched, or a layer cannot be written.
    pub fn prepare(store: &LayerStore, toolchain: &Toolchain, setup: &TestSetup) -> Result<Self, PythonError> {
        let runner = runner_layer(store, toolchain)?;
        let packages = match setup.runner {
            RunnerKind::Pytest => {
                Some(dependencies::install(store, toolchain, &setup.requirements, setup.before.as_deref())?)
            }
            _ => None,
        };
        let (toolchain, setup, surroundings) = (toolchain.clone(), setup.clone(), Surroundings::default());
        Ok(Self { toolchain, setup, runner, packages, surroundings })
    }

    /// The same elsewhere.
    #[must_use]
    pub fn under(self, surroundings: Surroundings) -> Self {
        Self { surroundings, ..self }
    }

    /// Whether this is also the environment of another setup: the same packages of the same time, import roots and fixtures.
    pub fn serves(&self, setup: &TestSetup) -> bool {
        let own = &self.setup;
        (own.runner, &own.requirements, &own.import_roots, &own.before)
            == (setup.runner, &setup.requirements, &setup.import_roots, &setup.before)
            && own.has_conftest() == setup.has_conftest()
    }

    /// The interpreter.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// How tests are run.
    pub fn setup(&self) -> &TestSetup {
        &self.setup
    }

    /// What was resolved for the requirements; empty when nothing is needed.
    pub fn lock(&self) -> &[String] {
        self.packages.as_ref().map_or(&[], |(_, lock)| &lock.0)
    }

    /// A sandbox with the project's tree made of `layers`, lowest first.
    pub fn spec(&self, layers: Vec<PathBuf>, limits: Limits) -> SandboxSpec {
        let (root, workdir) = (Vec::new(), WORKDIR.to_owned());
        SandboxSpec { root, layers, workdir, mounts: self.mounts(), env: self.variables(), limits }
    }

    /// Absolute paths inside the sandbox that the project's modules and packages are imported from, packages first: a tree cannot put
    /// its own module in the place of the test runner.
    pub(super) fn import_path(&self) -> Vec<String> {
        self.packages().map(str::to_owned).into_iter().chain(self.import_roots()).collect()
    }

    /// Where the packages are inside, if there are any.
    pub(super) fn packages(&self) -> Option<&'static str> {
        self.packages.as_ref().map(|_| PACKAGES)
    }

    fn import_roots(&self) -> impl Iterator<Item = String> {
        self.setup.import_roots.iter().map(|root| match root.as_str() {
            "" => WORKDIR.to_owned(),
            root => format!("{WORKDIR}/{root}"),
        })
    }

    fn mounts(&self) -> Vec<Mount> {
        let same_place = |path: &PathBuf| Mount { source: path.clone(), target: path.display().to_string() };
        let mut mounts: Vec<Mount> = self.toolchain.host_directories.iter().map(same_place).collect();
        mounts.push(Mount { source: self.runner.clone(), target: RUNNER.to_owned() });
        // Whatever is installed on the host is not part of the environment; it might even be the project itself.
        let hidden = self.toolchain.site_directories.iter().map(|path| path.display().to_string());
        mounts.extend(hidden.map(|target| Mount { source: self.runner.join(EMPTY), target }));
        mounts.extend(
            self.packages.iter().map(|(layer, _)| Mount { source: layer.clone(), target: PACKAGES.to_owned() }),
        );
        mounts
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let roots: Vec<String> = self.import_roots().chain(self.packages().map(str::to_owned)).collect();
        [
            ("PATH", format!("{RUNNER}/bin:/usr/local/bin:/usr/bin:/bin")),
            ("PYTHONPATH", roots.join(":")),
            ("PYTHONHASHSEED", self.surroundings.hash_seed.to_string()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("PYTHONNOUSERSITE", "1".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", self.surroundings.time_zone.to_owned()),
            ("HOME", "/tmp".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

fn runner_layer(store: &LayerStore, toolchain: &Toolchain) -> Result<PathBuf, PythonError> {
    let mut hasher = blake3::Hasher::new();
    for (name, text) in RUNNER_FILES {
        hasher.update(name.as_bytes()).update(text.as_bytes());
    }
    hasher.update(toolchain.version.as_bytes()).update(toolchain.executable.as_os_str().as_encoded_bytes());
    let key = format!("runner-{}", &hasher.finalize().to_hex()[..32]);
    Ok(store.build(&key, &|directory| write_runner(directory, toolchain))?)
}

fn write_runner(directory: &Path, toolchain: &Toolchain) -> std::io::Result<()> {
    let bin = directory.join("bin");
    std::fs::create_dir(&bin)?;
    std::fs::create_dir(directory.join(EMPTY))?;
    for name in ["python3", "python"] {
        symlink(&toolchain.executable, bin.join(name))?;
    }
    let package = directory.join(PACKAGE);
    std::fs::create_dir(&package)?;
    let mut compile = Command::new(&toolchain.executable);
    compile.args(["-I", "-S", "-c", COMPILE]).current_dir(&package);
    for (name, text) in RUNNER_FILES {
        std::fs::write(package.join(name), text)?;
        if name.ends_with(".py") {
            compile.arg(name);
        }
    }
    let output = compile.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(std::io::Error::other(format!(
            "`{}` cannot compile the test runner: {}",
            toolchain.executable.display(),
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
