//! Rust as one of the languages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, Outcome, Sandbox, SandboxError, SandboxSpec};

use super::evaluate::evaluate;
use super::run::run_tests;
use super::{
    Environment, Toolchain, anatomy, authoring, comparison, documentation, mutation, redefined, script, syntax,
};
use crate::languages::{
    self, Anatomy, Authoring, Call, Comparison, FunctionSpan, Language, Observation, Selection, Surroundings,
    TestReport, Toolchains,
};
use crate::project::TestSetup;
use crate::record::{Mutation, TestId};
use crate::tree::LayerStore;

/// Words of code that runs before the harness, ends it, writes to its channel, or changes what an assertion means.
const WORDS: [&str; 12] = [
    "from_raw_fd",
    "init_array",
    "link_section",
    "processexit",
    "processabort",
    "set_hook",
    "take_hook",
    "procself",
    "macro_rulesassert",
    "include_str",
    "include_bytes",
    "global_asm",
];

/// Rust with cargo and the standard test harness.
pub struct Rust;

impl Language for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".rs"]
    }

    fn is_protected(&self, path: &str) -> bool {
        const NAMES: &[&str] =
            &["Cargo.toml", "Cargo.lock", "build.rs", "rust-toolchain", "rust-toolchain.toml", "clippy.toml"];
        const FOLDERS: &[&str] = &["tests", "benches", "examples", ".cargo", ".git", ".config", "target"];
        let name = path.rsplit('/').next().unwrap_or(path);
        let compiled = [".so", ".a", ".o", ".rlib", ".rmeta"].iter().any(|ending| name.ends_with(ending));
        path.split('/').any(|part| FOLDERS.contains(&part))
            || compiled
            || NAMES.contains(&name)
            || anatomy::is_test_file(name)
    }

    fn tests_in_sources(&self) -> bool {
        true
    }

    fn needs_packages(&self, setup: &TestSetup) -> bool {
        // A lock has the project itself, too, which came from nowhere.
        setup.requirements.iter().any(|text| text.contains("\nsource = "))
    }

    fn with_tests_of(&self, submitted: &str, original: &str) -> String {
        documentation::with_examples_of(&syntax::with_tests_of(submitted, original), original)
    }

    fn functions(&self, source: &str) -> Vec<FunctionSpan> {
        syntax::functions(source)
    }

    fn remove_tests(&self, source: &str, tests: &[TestId]) -> Option<String> {
        Some(syntax::remove_tests(source, tests))
    }

    fn comparison(&self, source: &str, test: &[&str]) -> Option<Comparison> {
        comparison::comparison(source, test)
    }

    fn suspicious_words(&self) -> &'static [&'static str] {
        &WORDS
    }

    fn redefined(&self, source: &str) -> Vec<&'static str> {
        redefined::redefined(source)
    }

    fn mutations(&self, path: &str, source: &str) -> Vec<Mutation> {
        mutation::mutations(path, source)
    }

    fn anatomy(&self) -> &dyn Anatomy {
        &anatomy::Files
    }

    fn authoring(&self) -> Option<&dyn Authoring> {
        Some(&authoring::Code)
    }

    fn version(&self, toolchains: &Toolchains) -> String {
        Toolchain::discover(&toolchains.search_path).map(|toolchain| toolchain.version).unwrap_or_default()
    }

    fn prepare(
        &self,
        backend: &dyn Backend,
        toolchains: &Toolchains,
        store: &LayerStore,
        setup: &TestSetup,
        surroundings: Surroundings,
    ) -> Result<Arc<dyn languages::Environment>, String> {
        let toolchain = Toolchain::discover(&toolchains.search_path).map_err(|error| error.to_string())?;
        let environment = Environment::prepare(backend, store, toolchain, setup, surroundings);
        Ok(Arc::new(environment.map_err(|error| error.to_string())?))
    }
}

impl languages::Environment for Environment {
    fn setup(&self) -> &TestSetup {
        self.setup()
    }

    fn serves(&self, setup: &TestSetup) -> bool {
        let own = self.setup();
        (own.runner, &own.requirements) == (setup.runner, &setup.requirements)
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

    fn compiles_what_is_selected(&self) -> bool {
        true
    }

    fn run_script(&self, sandbox: &mut dyn Sandbox, path: &str) -> Result<Outcome, SandboxError> {
        script::run(sandbox, path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_with_nothing_but_the_project_needs_no_packages() {
        let needs = |lock: &str| {
            let requirements = vec!["[package]\nname = \"caps\"\n".to_owned(), lock.to_owned()];
            let files = vec!["src/lib.rs".to_owned()];
            let runner = crate::project::RunnerKind::Cargo;
            Rust.needs_packages(&TestSetup { runner, files, import_roots: Vec::new(), requirements, before: None })
        };
        let own = "version = 4\n\n[[package]]\nname = \"caps\"\nversion = \"0.1.0\"\n";
        assert!(!needs(own));
        let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        assert!(needs(&format!("{own}\n[[package]]\nname = \"itoa\"\nversion = \"1.0.0\"\n{source}")));
    }
}
