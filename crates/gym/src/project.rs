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
    /// Files with tests, and the `conftest.py` files that belong to them, relative to the project.
    pub files: Vec<String>,
    /// Directories to put on Python's import path, relative to the project; the empty string is its root.
    pub import_roots: Vec<String>,
    /// What has to be installed; the project itself is never among it. For Python requirements as `pip` takes them, for Rust the texts of
    /// `Cargo.toml` and `Cargo.lock`, for JavaScript a manifest and its lock as JSON.
    pub requirements: Vec<String>,
    /// A date such as `2024-06-01`: versions that were released on it or later are not installed. `None` takes the newest ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
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
    /// Cargo with the standard test harness.
    Cargo,
    /// `node:test`, with the shipped reporter.
    NodeTest,
    /// vitest from the environment, with the shipped reporter and a configuration of ours.
    Vitest,
    /// jest from the environment, with the shipped reporter and a configuration of ours.
    Jest,
    /// mocha from the environment, started by a program of ours without the project's configuration.
    Mocha,
}

impl RunnerKind {
    /// Whether it runs the tests of real packages, which take their time; what runs of them may take is processor time then.
    pub fn is_real(self) -> bool {
        self != Self::Plain
    }
}

/// Where a project came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `path`, `pypi`, `crate`, `npm`, `git` or `generated`.
    pub source: String,
    /// What the source needs to make it again: a path, `name==version`, an address, or a seed.
    pub locator: String,
    /// Licence as the package states it, or the empty string.
    pub licence: String,
    /// The commit that the healthy tree was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its hash.
    pub commit: String,
    /// When it was committed, such as `2024-05-17`.
    pub date: String,
    /// Whether the bug is what this commit repaired, rather than a mutation.
    pub is_fix: bool,
}

impl Origin {
    /// An origin of which no more is known yet.
    pub fn new(source: &str, locator: impl Into<String>) -> Self {
        Self { source: source.to_owned(), locator: locator.into(), licence: String::new(), revision: None }
    }
}
