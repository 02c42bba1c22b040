//! A sandbox backend, an interpreter and a layer store for tests that run real Python.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::languages::python::{Environment, Selection, TestReport, Toolchain, run_tests};
use basis_gym::project::{Origin, Project, RunnerKind, TestSetup};
use basis_gym::tree::{LayerStore, Tree};
use basis_sandbox::{Backend, Limits};

/// What a test needs to run Python.
pub(crate) struct Bench {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) toolchain: Toolchain,
    pub(crate) layers: LayerStore,
    store: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

impl Bench {
    /// Opens everything, or says why this machine cannot. Layers stay for the next tests, so that packages are fetched once.
    pub(crate) fn open() -> Option<Self> {
        Self::with_store(Path::new(env!("CARGO_TARGET_TMPDIR")).join("layers"), None)
    }

    /// The same with an empty store of its own.
    pub(crate) fn with_empty_store() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::with_store(directory.path().to_owned(), Some(directory))
    }

    fn with_store(store: PathBuf, directory: Option<tempfile::TempDir>) -> Option<Self> {
        let backend = match basis_sandbox::backends::open("namespace") {
            Ok(backend) => backend,
            Err(error) => {
                skip(&error);
                return None;
            }
        };
        let search_path: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
        let toolchain = Toolchain::discover(None, &search_path).expect("tests of python projects need a python3");
        let layers = LayerStore::open(&store).expect("a layer store");
        Some(Self { backend, toolchain, layers, store, _directory: directory })
    }

    pub(crate) fn environment(&self, setup: &TestSetup) -> Environment {
        Environment::prepare(&self.layers, &self.toolchain, setup).expect("an environment")
    }

    /// Runs tests of a tree.
    pub(crate) fn run(&self, files: &[(&str, &str)], setup: &TestSetup, selection: &Selection) -> TestReport {
        self.run_within(files, setup, selection, &Limits::default())
    }

    pub(crate) fn run_within(
        &self,
        files: &[(&str, &str)],
        setup: &TestSetup,
        selection: &Selection,
        limits: &Limits,
    ) -> TestReport {
        let layer = self.layers.layer(&tree(files)).expect("a layer");
        run_tests(self.backend.as_ref(), &self.environment(setup), &[layer], selection, limits)
            .expect("a working sandbox")
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }
}

/// Says why a test does nothing on this machine.
#[expect(clippy::print_stderr, reason = "the reason must be seen")]
pub(crate) fn skip(reason: &dyn std::fmt::Display) {
    eprintln!("skipped: {reason}");
}

pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    files.iter().for_each(|(path, text)| tree.insert(*path, *text));
    tree
}

pub(crate) fn setup(runner: RunnerKind, files: &[&str]) -> TestSetup {
    TestSetup {
        runner,
        files: files.iter().map(|&file| file.to_owned()).collect(),
        import_roots: vec![String::new()],
        requirements: Vec::new(),
        before: None,
    }
}

pub(crate) fn project(files: &[(&str, &str)], setup: TestSetup) -> Project {
    let origin = Origin::new("path", "here");
    Project { name: "example".to_owned(), version: "1".to_owned(), tree: tree(files), tests: setup, origin }
}
