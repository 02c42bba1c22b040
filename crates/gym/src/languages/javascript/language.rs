//! JavaScript as one of the languages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Outcome, Sandbox, SandboxError, SandboxSpec};

use super::environment::RUNNER;
use super::evaluate::evaluate;
use super::run::run_tests;
use super::{Environment, Toolchain, anatomy, authoring, comparison, mutation, suite, syntax};
use crate::languages::{
    self, Anatomy, Authoring, Call, Comparison, FunctionSpan, Language, Observation, Selection, Surroundings,
    TestReport, Toolchains,
};
use crate::project::TestSetup;
use crate::record::{Mutation, TestId};
use crate::tree::LayerStore;

/// Ends of the names of source files.
const ENDINGS: &[&str] = &[".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"];

/// JavaScript and TypeScript with the test runner of node.
pub struct JavaScript;

impl Language for JavaScript {
    fn name(&self) -> &'static str {
        "javascript"
    }

    fn endings(&self) -> &'static [&'static str] {
        ENDINGS
    }

    fn is_protected(&self, path: &str) -> bool {
        is_protected_path(path)
    }

    fn functions(&self, source: &str) -> Vec<FunctionSpan> {
        syntax::functions(source)
    }

    fn remove_tests(&self, source: &str, tests: &[TestId]) -> Option<String> {
        suite::remove_tests(source, tests)
    }

    fn comparison(&self, source: &str, test: &[&str]) -> Option<Comparison> {
        comparison::find(source, test)
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
        _: &dyn Backend,
        toolchains: &Toolchains,
        store: &LayerStore,
        setup: &TestSetup,
        surroundings: Surroundings,
    ) -> Result<Arc<dyn languages::Environment>, String> {
        let toolchain = Toolchain::discover(&toolchains.search_path).map_err(|error| error.to_string())?;
        let environment = Environment::prepare(store, toolchain, setup, surroundings);
        Ok(Arc::new(environment.map_err(|error| error.to_string())?))
    }
}

/// Whether a path is that of a file with code.
pub(super) fn is_script(path: &str) -> bool {
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Whether a path decides how code is found, built, tested or reported, or is a test itself.
pub(super) fn is_protected_path(path: &str) -> bool {
    const NAMES: &[&str] = &[
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        "bun.lock",
        "bun.lockb",
        "deno.json",
        "deno.lock",
        ".npmrc",
        ".nvmrc",
        ".node-version",
        ".node-options",
        "node.config.json",
        ".pnpmfile.cjs",
        ".taprc",
    ];
    const FOLDERS: &[&str] = &[
        "node_modules",
        "test",
        "tests",
        "__tests__",
        "__mocks__",
        "__snapshots__",
        "spec",
        "specs",
        ".git",
        ".husky",
    ];
    /// What tools read before anything else: `jest.config.js`, `.mocharc.cjs`, `tsconfig.build.json`.
    const BEGINNINGS: &[&str] = &[
        "jest.",
        "vitest.",
        "vite.config.",
        "babel.config.",
        ".babelrc",
        ".mocharc",
        ".swcrc",
        ".c8rc",
        ".nycrc",
        ".yarnrc",
        ".env",
        "tsconfig",
        "jsconfig",
        "ava.config.",
        "karma.conf.",
        "playwright.config.",
        "test-",
        "test.",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_folder = path.split('/').any(|part| FOLDERS.contains(&part));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_test =
        [".test", ".spec", "-test", "_test", "-spec", ".bench", ".test-d"].iter().any(|end| stem.ends_with(end));
    let is_written =
        name.contains(".min.") || name.ends_with(".d.ts") || name.ends_with(".d.mts") || name.ends_with(".d.cts");
    let loads_itself = name.ends_with(".node") || name.ends_with(".snap");
    in_folder
        || is_test
        || is_written
        || loads_itself
        || NAMES.contains(&name)
        || BEGINNINGS.iter().any(|start| name.starts_with(start))
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

    fn run_script(&self, sandbox: &mut dyn Sandbox, path: &str) -> Result<Outcome, SandboxError> {
        Ok(sandbox.exec(&Command::new([&format!("{RUNNER}/bin/node"), path]))?.outcome)
    }

    fn evaluate(
        &self,
        backend: &dyn Backend,
        layers: &[PathBuf],
        calls: &[Call],
        limits: &Limits,
        _: Option<Duration>,
    ) -> Result<Vec<Observation>, SandboxError> {
        evaluate(backend, self, layers, calls, limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_about_tests_is_protected() {
        let protected = [
            "package.json",
            "node_modules/x/index.js",
            "lib/node_modules/x.js",
            "lib/a.test.js",
            "a.spec.ts",
            "test/helper.js",
            "test.js",
            "vitest.config.ts",
            ".mocharc.cjs",
            "src/__mocks__/fs.js",
            ".npmrc",
            "addon.node",
            "index.d.ts",
        ];
        assert_eq!(protected.iter().find(|path| !is_protected_path(path)), None);
        let free = ["index.js", "lib/latest.js", "src/contest/a.ts", "lib/tester.mjs"];
        assert_eq!(free.iter().find(|path| is_protected_path(path)), None);
    }
}
