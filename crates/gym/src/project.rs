//! A healthy package with its tests, before any bug is put into it.

use serde::{Deserialize, Serialize};

use crate::tree::Tree;

/// A package at one version, as every source delivers it.
#[derive(Debug, Clone)]
pub struct Project {
    /// Name of the distribution, for example `more-itertools`.
    pub name: String,
    /// Version, or the empty string when it has none.
    pub version: String,
    /// All files: sources, tests, documentation. No history, no bytecode, no build results.
    pub tree: Tree,
    /// How its tests are run.
    pub tests: TestSetup,
    /// Where it came from.
    pub origin: Origin,
}

/// How the tests of a project are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestSetup {
    /// Who runs them.
    pub runner: RunnerKind,
    /// Test files and the `conftest.py` files that belong to them, relative to the project.
    pub files: Vec<String>,
    /// Directories to put on the import path, relative to the project; the empty string is its root.
    pub import_roots: Vec<String>,
    /// What to install beside the interpreter, as `pip` takes it, or for JavaScript a manifest and its lock as JSON; never the
    /// project itself.
    pub requirements: Vec<String>,
}

impl TestSetup {
    /// Whether the tests use `conftest.py` files, which are listed among the test files then.
    pub fn has_conftest(&self) -> bool {
        self.files.iter().any(|path| is_conftest(path))
    }
}

/// Whether a path is that of a `conftest.py`: shared fixtures, no tests.
pub fn is_conftest(path: &str) -> bool {
    path.rsplit('/').next() == Some("conftest.py")
}

/// Who runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunnerKind {
    /// The shipped runner: plain `test_*` functions with `assert`; needs nothing but an interpreter.
    Plain,
    /// pytest from the environment, with the shipped reporter plugin.
    Pytest,
    /// `node:test`, with the shipped reporter.
    NodeTest,
    /// vitest from the environment, with the shipped reporter and a configuration of ours.
    Vitest,
    /// jest from the environment, with the shipped reporter and a configuration of ours.
    Jest,
}

impl RunnerKind {
    /// Whether it runs the tests of real packages, which take their time.
    pub fn is_real(self) -> bool {
        self != Self::Plain
    }

    /// Whether its runs are limited by processor time.
    pub fn limits_processor(self) -> bool {
        matches!(self, Self::Pytest | Self::NodeTest | Self::Vitest | Self::Jest)
    }
}

/// Where a project came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `path`, `pypi`, `npm` or `generated`.
    pub source: String,
    /// What the source needs to make it again: a path, `name==version`, or a seed.
    pub locator: String,
    /// Licence as the package states it, or the empty string.
    pub licence: String,
}
