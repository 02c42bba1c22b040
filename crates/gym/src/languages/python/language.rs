//! Python as one of the languages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Outcome, Sandbox, SandboxError, SandboxSpec};

use super::evaluate::evaluate;
use super::warm::run_warm;
use super::{Environment, anatomy, authoring, comparison, mutation, run_tests, syntax};
use crate::languages::{
    self, Anatomy, Authoring, Call, Comparison, FunctionSpan, Language, Observation, Selection, Surroundings,
    TestReport, Toolchains, WarmRun,
};
use crate::project::TestSetup;
use crate::record::{Mutation, TestId};
use crate::tree::LayerStore;

/// Words of code that looks at who calls it, reaches for the runner, or equals whatever it is compared with.
const WORDS: [&str; 30] = [
    "_getframe",
    "_current_frames",
    "currentframe",
    "f_back",
    "f_locals",
    "f_globals",
    "f_code",
    "f_lineno",
    "tb_frame",
    "__traceback__",
    "get_objects",
    "get_referrers",
    "settrace",
    "setprofile",
    "sysmonitoring",
    "sysmodules",
    "basis_runner",
    "pytest",
    "PYTEST_CURRENT_TEST",
    "unittest",
    "builtins",
    "__builtins__",
    "ctypes",
    "__code__",
    "__closure__",
    "__eq__",
    "__ne__",
    "__class__",
    "__getattribute__",
    "__instancecheck__",
];

/// Python with pytest, or with the shipped runner for plain test functions.
pub struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".py"]
    }

    fn is_protected(&self, path: &str) -> bool {
        const NAMES: &[&str] = &[
            "conftest.py",
            "pytest.ini",
            ".pytest.ini",
            "tox.ini",
            "setup.cfg",
            "setup.py",
            "pyproject.toml",
            "noxfile.py",
            "sitecustomize.py",
            "usercustomize.py",
            "pytest.py",
            "_pytest.py",
        ];
        let name = path.rsplit('/').next().unwrap_or(path);
        let in_tests =
            path.split('/').any(|part| matches!(part, "tests" | "test" | "testing" | ".git" | "_pytest" | "pytest"));
        let is_test = name.starts_with("test_") || name.ends_with("_test.py");
        let loads_itself = [".pth", ".pyc", ".so", ".pyd"].iter().any(|suffix| name.ends_with(suffix));
        in_tests || is_test || loads_itself || NAMES.contains(&name)
    }

    fn functions(&self, source: &str) -> Vec<FunctionSpan> {
        syntax::functions(source)
    }

    fn remove_tests(&self, source: &str, tests: &[TestId]) -> Option<String> {
        syntax::remove_tests(source, tests)
    }

    fn comparison(&self, source: &str, test: &[&str]) -> Option<Comparison> {
        comparison::comparison(source, test)
    }

    fn anatomy(&self) -> &dyn Anatomy {
        &anatomy::Files
    }

    fn authoring(&self) -> Option<&dyn Authoring> {
        Some(&authoring::Code)
    }

    fn suspicious_words(&self) -> &'static [&'static str] {
        &WORDS
    }

    fn mutations(&self, path: &str, source: &str) -> Vec<Mutation> {
        mutation::mutations(path, source)
    }

    fn version(&self, toolchains: &Toolchains) -> String {
        toolchains.python.version.clone()
    }

    fn prepare(
        &self,
        _: &dyn Backend,
        toolchains: &Toolchains,
        store: &LayerStore,
        setup: &TestSetup,
        surroundings: Surroundings,
    ) -> Result<Arc<dyn languages::Environment>, String> {
        let environment = Environment::prepare(store, &toolchains.python, setup).map_err(|error| error.to_string())?;
        Ok(Arc::new(environment.under(surroundings)))
    }
}

impl languages::Environment for Environment {
    fn setup(&self) -> &TestSetup {
        self.setup()
    }

    fn serves(&self, setup: &TestSetup) -> bool {
        self.serves(setup)
    }

    fn spec(&self, layers: Vec<PathBuf>, limits: Limits) -> SandboxSpec {
        self.spec(layers, limits)
    }

    fn run_tests(
        &self,
        backend: &dyn Backend,
        layers: &[PathBuf],
        selection: &Selection,
        limits: &Limits,
    ) -> Result<TestReport, SandboxError> {
        run_tests(backend, self, layers, selection, limits)
    }

    fn run_warm(
        &self,
        backend: &dyn Backend,
        layers: &[PathBuf],
        runs: &[WarmRun<'_>],
        limits: &Limits,
    ) -> Result<Vec<Option<TestReport>>, SandboxError> {
        run_warm(backend, self, layers, runs, limits)
    }

    fn run_script(&self, sandbox: &mut dyn Sandbox, path: &str) -> Result<Outcome, SandboxError> {
        Ok(sandbox.exec(&Command::new(["python3", path]))?.outcome)
    }

    fn evaluate(
        &self,
        backend: &dyn Backend,
        layers: &[PathBuf],
        calls: &[Call],
        limits: &Limits,
        processor: Option<Duration>,
    ) -> Result<Vec<Observation>, SandboxError> {
        evaluate(backend, self, layers, calls, limits, processor)
    }
}
