//! One folder per language: toolchain, environment, test runner, syntax, operators of mutation.
//!
//! A [`Language`] says what can be known of a text without running anything; an [`Environment`] is what the code of one project runs in.
//! What a language cannot do yet has a default that says so, and tasks that need it are not made.

mod anatomy;
mod authoring;
mod comparison;
mod coverage;
mod environment;
pub mod javascript;
mod likeness;
mod neighbours;
mod nodes;
pub mod python;
mod report;
pub mod rust;
mod secrets;
mod selection;
mod span;

use std::path::PathBuf;
use std::sync::Arc;

pub use anatomy::{Anatomy, Class, Word};
pub use authoring::{Authoring, Suite, restated, with_idle};
pub use comparison::Comparison;
pub use coverage::Coverage;
pub use environment::{Call, Environment, Observation, Surroundings, WORKDIR, WarmRun};
pub use report::{Health, Phase, Status, TestOutcome, TestReport};
use secrets::Secrets;
pub use selection::Selection;
pub use span::FunctionSpan;

use basis_sandbox::Backend;

use crate::project::{RunnerKind, TestSetup};
use crate::record::{Mutation, TestId};
use crate::tree::LayerStore;

/// All languages.
pub static ALL: &[&dyn Language] = &[&python::Python, &rust::Rust, &javascript::JavaScript];

/// The language of a source file, by the end of its name.
pub fn of_path(path: &str) -> Option<&'static dyn Language> {
    ALL.iter().copied().find(|language| language.endings().iter().any(|ending| path.ends_with(ending)))
}

/// The language whose tests some runner runs.
pub fn of_runner(runner: RunnerKind) -> &'static dyn Language {
    match runner {
        RunnerKind::Plain | RunnerKind::Pytest => &python::Python,
        RunnerKind::Cargo => &rust::Rust,
        RunnerKind::NodeTest | RunnerKind::Vitest | RunnerKind::Jest | RunnerKind::Mocha => &javascript::JavaScript,
    }
}

/// Whether a path is a source file that an agent may be asked to change.
pub fn is_source(path: &str) -> bool {
    of_path(path).is_some_and(|language| language.is_source(path))
}

/// All functions of a file in order of their first byte; none when its language is not known.
pub fn functions(path: &str, source: &str) -> Vec<FunctionSpan> {
    of_path(path).map_or_else(Vec::new, |language| language.functions(source))
}

/// Everything that any operator can do to the file called `path` (relative to the project) with the text `source`, in
/// order of position, each resulting text once. Empty for tests and for files that do not parse.
pub fn mutations(path: &str, source: &str) -> Vec<Mutation> {
    of_path(path).map_or_else(Vec::new, |language| language.mutations(path, source))
}

/// One programming language.
pub trait Language: Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// How the names of its source files end.
    fn endings(&self) -> &'static [&'static str];

    /// Whether a path decides how tests are built, found, run or reported.
    fn is_protected(&self, path: &str) -> bool;

    /// All functions of a file in order of their first byte. A file with syntax errors gives those that could be recognised.
    fn functions(&self, source: &str) -> Vec<FunctionSpan>;

    /// The test file without the given tests, or `None` when nothing is left that is worth a file.
    fn remove_tests(&self, source: &str, tests: &[TestId]) -> Option<String>;

    /// The comparison that decides a test: what stands behind its file in its id.
    fn comparison(&self, source: &str, test: &[&str]) -> Option<Comparison>;

    /// Words, with everything but letters, digits and `_` left out, that no repair has to bring in: of code that reaches for the runner or for
    /// who calls it.
    fn suspicious_words(&self) -> &'static [&'static str] {
        &[]
    }

    /// What tests are written with, where the code of a file gives it a meaning of its own. No repair has to, and words do not tell.
    fn redefined(&self, _source: &str) -> Vec<&'static str> {
        Vec::new()
    }

    /// What is known of the files of a project that somebody changed.
    fn anatomy(&self) -> &dyn Anatomy;

    /// What its programs on this machine call themselves; empty where there are none. What came out of a run may depend on it.
    fn version(&self, toolchains: &Toolchains) -> String;

    /// Code that agents write in it, if its tests and scripts can be judged.
    fn authoring(&self) -> Option<&dyn Authoring> {
        None
    }

    /// Whether anything has to be installed for these tests but who runs them.
    fn needs_packages(&self, setup: &TestSetup) -> bool {
        !setup.requirements.is_empty()
    }

    /// Whether source files hold tests, so that a file with tests may be changed.
    fn tests_in_sources(&self) -> bool {
        false
    }

    /// A submitted source file with the tests of the original one in the place of its own.
    fn with_tests_of(&self, submitted: &str, _original: &str) -> String {
        submitted.to_owned()
    }

    /// Small deliberate mistakes, in order of position.
    fn mutations(&self, path: &str, source: &str) -> Vec<Mutation>;

    /// Makes what the code of a project runs in, or takes its layers from `store` when they are there. No code of any package runs on
    /// the host; what has to be built is built in sandboxes of `backend`.
    ///
    /// # Errors
    /// One line: what cannot be resolved, fetched or written.
    fn prepare(
        &self,
        backend: &dyn Backend,
        toolchains: &Toolchains,
        store: &LayerStore,
        setup: &TestSetup,
        surroundings: Surroundings,
    ) -> Result<Arc<dyn Environment>, String>;

    /// Whether a path is a source file that an agent may be asked to change.
    fn is_source(&self, path: &str) -> bool {
        self.endings().iter().any(|ending| path.ends_with(ending)) && !self.is_protected(path)
    }
}

/// What the languages run with on this machine.
#[derive(Debug, Clone)]
pub struct Toolchains {
    /// The interpreter, which every pack needs.
    pub python: python::Toolchain,
    /// Where the programs of the other languages are looked for when a project first needs them.
    pub search_path: Vec<PathBuf>,
}

impl From<python::Toolchain> for Toolchains {
    fn from(python: python::Toolchain) -> Self {
        Self { python, search_path: Vec::new() }
    }
}
