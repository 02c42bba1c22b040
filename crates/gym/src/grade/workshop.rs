//! Where trees become sandboxes: the backend, the environments and layers on disk, and the limits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Mount, Output, Sandbox};

use crate::blobs::Blobs;
use crate::episode::InvalidCause;
use crate::languages::{self, Call, Environment, Health, Observation, Selection, Surroundings, TestReport, Toolchains};
use crate::project::TestSetup;
use crate::tree::{LayerStore, Tree};

/// Wall time of one run of the suite of a real package at least.
const REAL_WALL: Duration = Duration::from_secs(60);

/// Processor time of the whole suite of a real package, and its wall time, which is only a net.
const SUITE_PROCESSOR: Duration = Duration::from_secs(300);
const SUITE_WALL: Duration = Duration::from_secs(1200);

/// Everything that building, acting and grading need to run code.
pub struct Workshop {
    /// Makes sandboxes.
    pub backend: Arc<dyn Backend>,
    /// What code runs with.
    pub toolchains: Toolchains,
    /// Trees on disk.
    pub layers: LayerStore,
    /// Trees in the pack.
    pub blobs: Arc<Blobs>,
    /// Limits of the agent's sandbox.
    pub agent_limits: Limits,
    /// Limits of every graded run.
    pub grading_limits: Limits,
    /// What code runs under and should not depend on.
    pub surroundings: Surroundings,
    /// Environments that were asked for.
    pub environments: Mutex<Vec<Arc<dyn Environment>>>,
    /// What the programs of each language that was asked for call themselves.
    pub versions: Mutex<BTreeMap<&'static str, String>>,
}

/// Files of a system that is otherwise the machine's programs; directories that containers are expected to have.
const SKELETON: [(&str, &str); 4] = [
    ("etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/nsswitch.conf", "hosts: files\n"),
    ("logs/artifacts/.keep", ""),
];

/// Where the machine's programs are.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache"];

impl Workshop {
    /// A workshop without any environment yet; `cache` keeps layers between runs.
    ///
    /// # Errors
    /// When the cache cannot be created.
    pub fn open(
        backend: Arc<dyn Backend>,
        toolchains: Toolchains,
        cache: &std::path::Path,
        blobs: Arc<Blobs>,
    ) -> std::io::Result<Self> {
        let layers = LayerStore::open(cache.join("layers"))?;
        let (agent_limits, grading_limits) = (Limits::default(), Limits::default());
        let (surroundings, environments, versions) = (Surroundings::default(), Mutex::default(), Mutex::default());
        Ok(Self {
            backend,
            toolchains,
            layers,
            blobs,
            agent_limits,
            grading_limits,
            surroundings,
            environments,
            versions,
        })
    }

    /// The same workshop elsewhere.
    #[must_use]
    pub fn under(&self, surroundings: Surroundings) -> Self {
        Self {
            backend: self.backend.clone(),
            toolchains: self.toolchains.clone(),
            layers: self.layers.clone(),
            blobs: self.blobs.clone(),
            agent_limits: self.agent_limits.clone(),
            grading_limits: self.grading_limits.clone(),
            surroundings,
            environments: Mutex::default(),
            versions: Mutex::default(),
        }
    }

    /// What the programs that run a setup call themselves: what came out of a run may depend on it. They are asked once.
    pub fn version(&self, tests: &TestSetup) -> String {
        let language = languages::of_runner(tests.runner);
        let mut known = self.versions.lock().expect("no panic while locked");
        known.entry(language.name()).or_insert_with(|| language.version(&self.toolchains)).clone()
    }

    /// The environment for a test setup, made on first use.
    ///
    /// # Errors
    /// When dependencies cannot be resolved or fetched.
    pub fn environment(&self, tests: &TestSetup) -> Result<Arc<dyn Environment>, InvalidCause> {
        let mut known = self.environments.lock().expect("no panic while locked");
        if let Some(environment) = known.iter().find(|environment| environment.serves(tests)) {
            return Ok(environment.clone());
        }
        let environment = languages::of_runner(tests.runner)
            .prepare(self.backend.as_ref(), &self.toolchains, &self.layers, tests, self.surroundings.clone())
            .map_err(|reason| InvalidCause::Task(format!("environment: {reason}")))?;
        known.push(environment.clone());
        Ok(environment)
    }

    /// A fresh sandbox over `trees`, lowest first.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn sandbox(
        &self,
        tests: &TestSetup,
        trees: &[&Tree],
        limits: &Limits,
    ) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.sandbox_with(tests, trees, limits, &[])
    }

    /// The same with directories of the host.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn sandbox_with(
        &self,
        tests: &TestSetup,
        trees: &[&Tree],
        limits: &Limits,
        mounts: &[Mount],
    ) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let environment = self.environment(tests)?;
        let mut spec = environment.spec(self.paths(trees)?, limits.clone());
        spec.mounts.extend_from_slice(mounts);
        self.backend.create(&spec).map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    /// A sandbox over `tree` whose whole system can be written, copy-on-write, for programs that expect a container.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn container(&self, tests: &TestSetup, tree: &Tree, limits: Limits) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let environment = self.environment(tests)?;
        let mut spec = environment.spec(self.paths(&[tree])?, limits);
        let mut skeleton = Tree::new();
        SKELETON.iter().for_each(|(path, text)| skeleton.insert(*path, text.as_bytes()));
        spec.root = self.paths(&[&skeleton])?;
        let programs = SYSTEM.into_iter().filter(|path| std::path::Path::new(path).exists());
        let mounts = programs.map(|path| Mount { source: PathBuf::from(path), target: path.to_owned() });
        // What the environment brings lies over the programs of the machine.
        spec.mounts = mounts.chain(spec.mounts).collect();
        self.backend.create(&spec).map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    /// Runs tests in a fresh sandbox over `trees`, lowest first, and once more when the report is not whole.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn run_tests(
        &self,
        tests: &TestSetup,
        trees: &[&Tree],
        selection: &Selection,
    ) -> Result<TestReport, InvalidCause> {
        let environment = self.environment(tests)?;
        let layers = self.paths(trees)?;
        let run = || {
            environment
                .run_tests(self.backend.as_ref(), &layers, selection, &self.suite_limits(tests))
                .map_err(|error| InvalidCause::Sandbox(error.to_string()))
        };
        let report = run()?;
        // A runner that was killed from outside, or a report that was cut, looks like the work of hostile code: only that comes again.
        if matches!(report.health, Health::NoEnd(_) | Health::Forged) { run() } else { Ok(report) }
    }

    /// Runs whole test files of a tree, which of real packages may take minutes: their processor time is limited.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn run_suite(&self, tests: &TestSetup, tree: &Tree, files: Vec<String>) -> Result<TestReport, InvalidCause> {
        let environment = self.environment(tests)?;
        let layers = self.paths(&[tree])?;
        let is_real = tests.runner.is_real();
        let selection = Selection::files(files).within(is_real.then_some(SUITE_PROCESSOR));
        let mut limits = self.suite_limits(tests);
        if is_real {
            limits.wall = SUITE_WALL;
        }
        environment
            .run_tests(self.backend.as_ref(), &layers, &selection, &limits)
            .map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    /// Evaluates calls of trusted code on the tree that `trees` make, lowest first, each within some processor time.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn evaluate(
        &self,
        tests: &TestSetup,
        trees: &[&Tree],
        calls: &[Call],
        processor: Duration,
    ) -> Result<Vec<Observation>, InvalidCause> {
        let environment = self.environment(tests)?;
        let (layers, limits) = (self.paths(trees)?, self.suite_limits(tests));
        environment
            .evaluate(self.backend.as_ref(), &layers, calls, &limits, Some(processor))
            .map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    /// Suites of real packages take their time.
    pub fn suite_limits(&self, tests: &TestSetup) -> Limits {
        let wall = match tests.runner.is_real() {
            false => self.grading_limits.wall,
            true => self.grading_limits.wall.max(REAL_WALL),
        };
        Limits { wall, ..self.grading_limits.clone() }
    }

    /// Runs the interpreter in a fresh sandbox over `trees`, with standard input and a report channel.
    ///
    /// # Errors
    /// Only failures of infrastructure.
    pub fn run_python(
        &self,
        tests: &TestSetup,
        trees: &[&Tree],
        arguments: &[&str],
        stdin: Vec<u8>,
    ) -> Result<Output, InvalidCause> {
        let mut sandbox = self.sandbox(tests, trees, &self.suite_limits(tests))?;
        let argv = std::iter::once("python3").chain(arguments.iter().copied());
        let command = Command { stdin, report: true, ..Command::new(argv) };
        sandbox.exec(&command).map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    fn paths(&self, trees: &[&Tree]) -> Result<Vec<PathBuf>, InvalidCause> {
        let layer =
            |tree: &&Tree| self.layers.layer(tree).map_err(|error| InvalidCause::Sandbox(format!("layer: {error}")));
        trees.iter().map(layer).collect()
    }
}
