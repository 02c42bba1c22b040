//! What the code of one project runs in: toolchain, packages, test runner; all read-only, all offline.
//!
//! An environment only knows how tests are run, not which trees: callers hand in the layers of a tree when they ask for a
//! [`SandboxSpec`]. Inside, the project is at [`WORKDIR`].

use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, Outcome, Sandbox, SandboxError, SandboxSpec};

use super::{Selection, TestReport};
use crate::project::TestSetup;
use crate::tree::Tree;

/// Where the project's tree is in every sandbox.
pub const WORKDIR: &str = "/repo";

/// What code should not depend on, and may by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Value of `TZ`.
    pub time_zone: &'static str,
    /// Seed of the hashes of strings in scripts. Runs of tests never read it: each has hashes of its own.
    pub hash_seed: u32,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { time_zone: "UTC", hash_seed: 0 }
    }
}

/// A call and the test file whose names it uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The test file, relative to the project.
    pub path: String,
    /// The call as source in one line.
    pub source: String,
}

/// What a call gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Its value as the language writes it, if it has one that can be quoted.
    pub value: Option<String>,
    /// What it raised.
    pub exception: Option<String>,
}

/// One of many runs of variants of a trusted tree.
#[derive(Debug, Clone)]
pub struct WarmRun<'a> {
    /// Files that are different from the tree, or new in a directory of it.
    pub patch: &'a Tree,
    /// Which tests to run.
    pub selection: &'a Selection,
    /// How long they may take.
    pub wall: Duration,
}

/// What the code of one project runs in.
pub trait Environment: Send + Sync {
    /// How its tests are run.
    fn setup(&self) -> &TestSetup;

    /// Whether this is also the environment of another setup.
    fn serves(&self, setup: &TestSetup) -> bool;

    /// A sandbox with the project's tree made of `layers`, lowest first.
    fn spec(&self, layers: Vec<PathBuf>, limits: Limits) -> SandboxSpec;

    /// Runs the selected tests of the tree that `layers` make, lowest first, in a fresh sandbox.
    ///
    /// # Errors
    /// [`SandboxError`] when the infrastructure failed; whatever the tests do is in the report.
    fn run_tests(
        &self,
        backend: &dyn Backend,
        layers: &[PathBuf],
        selection: &Selection,
        limits: &Limits,
    ) -> Result<TestReport, SandboxError>;

    /// Whether tests that are not selected are not compiled either, so that a run of a whole suite costs less where its tests are named.
    fn compiles_what_is_selected(&self) -> bool {
        false
    }

    /// Runs tests of many variants of a trusted tree in less time than one by one. A run of which nothing can be said is `None` and must be
    /// made in a fresh sandbox.
    ///
    /// # Errors
    /// [`SandboxError`] when the infrastructure failed.
    fn run_warm(
        &self,
        _backend: &dyn Backend,
        _layers: &[PathBuf],
        runs: &[WarmRun<'_>],
        _limits: &Limits,
    ) -> Result<Vec<Option<TestReport>>, SandboxError> {
        Ok(vec![None; runs.len()])
    }

    /// Runs the script at a path of a sandbox of this environment. Only how it ended counts: a language in which what fails has another
    /// exit status than 1 says 1.
    ///
    /// # Errors
    /// [`SandboxError`] when the infrastructure failed.
    fn run_script(&self, sandbox: &mut dyn Sandbox, path: &str) -> Result<Outcome, SandboxError>;

    /// Evaluates calls of trusted code in order, alone, on the tree that `layers` make. A call that could not be evaluated observes nothing.
    ///
    /// # Errors
    /// [`SandboxError`] when the infrastructure failed.
    fn evaluate(
        &self,
        _backend: &dyn Backend,
        _layers: &[PathBuf],
        calls: &[Call],
        _limits: &Limits,
        _processor: Option<Duration>,
    ) -> Result<Vec<Observation>, SandboxError> {
        Ok(vec![Observation::default(); calls.len()])
    }
}
