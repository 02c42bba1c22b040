//! Runs tests and scripts of a project, each call in one fresh sandbox.
//!
//! The runner gets its instructions, a nonce and the names of two canaries on standard input and answers on the report channel; nothing
//! that is printed counts. An error is always one of the infrastructure.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Output, SandboxError};

use super::Environment;
use super::assemble::assemble;
use super::environment::{PACKAGE, RUNNER};
use super::report::TestReport;
use crate::project::{RunnerKind, is_conftest};
use crate::record::TestId;

/// Which tests to run, and what to record about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Test files, relative to the project. Only these are imported.
    pub files: Vec<String>,
    /// Exactly these tests of the files; all tests when empty.
    pub tests: Vec<TestId>,
    /// Whether to record what failing tests show. Costs time, and evaluates calls again after all tests.
    pub symptoms: bool,
    /// Whether to record which functions each test enters. Slow.
    pub coverage: bool,
    /// Processor time after which the run is stopped as if its wall time were up, in whole seconds. Unlike wall time it does not
    /// depend on what else the machine does.
    pub processor: Option<Duration>,
    /// Processor time after which a single test is given up and fails, so that the others still run. Only pytest knows it.
    pub patience: Option<Duration>,
}

impl Selection {
    /// All tests of some files.
    pub fn files<S: Into<String>>(files: impl IntoIterator<Item = S>) -> Self {
        Self { files: files.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Exactly these tests; their files are imported.
    pub fn tests<'a>(tests: impl IntoIterator<Item = &'a TestId>) -> Self {
        let tests: Vec<TestId> = tests.into_iter().cloned().collect();
        let files: BTreeSet<&str> = tests.iter().filter_map(|id| id.split("::").next()).collect();
        Self { files: files.into_iter().map(str::to_owned).collect(), tests, ..Self::default() }
    }

    /// The same with symptoms.
    #[must_use]
    pub fn with_symptoms(self) -> Self {
        Self { symptoms: true, ..self }
    }

    /// The same with coverage.
    #[must_use]
    pub fn with_coverage(self) -> Self {
        Self { coverage: true, ..self }
    }

    /// The same within some processor time.
    #[must_use]
    pub fn within(self, processor: Option<Duration>) -> Self {
        Self { processor, ..self }
    }
}

/// What only the host and the runner know about one run.
pub(super) struct Secrets {
    pub(super) nonce: String,
    /// Names of the canary that passes and of the one that fails.
    pub(super) canaries: [String; 2],
}

impl Secrets {
    pub(super) fn draw() -> Result<Self, SandboxError> {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(|error| SandboxError::system("read `/dev/urandom`", error))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { nonce: text[..32].to_owned(), canaries: [text[32..48].to_owned(), text[48..].to_owned()] })
    }
}

/// Runs the selected tests of the tree that `layers` make, lowest first.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed; whatever the tests do is in the report.
pub fn run_tests(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    selection: &Selection,
    limits: &Limits,
) -> Result<TestReport, SandboxError> {
    let secrets = Secrets::draw()?;
    let command = runner_command(runner_module(environment), &instructions(environment, selection, &secrets));
    let output = run_command(backend, environment, layers, limits, &command)?;
    Ok(assemble(&output, selection, &secrets))
}

/// Runs `python3 <name>` on a script that is written into a fresh sandbox of the tree that `layers` make.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed.
pub fn run_script(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    script: (&str, &[u8]),
    limits: &Limits,
) -> Result<Output, SandboxError> {
    let mut sandbox = backend.create(&environment.spec(layers.to_vec(), limits.clone()))?;
    sandbox.write(script.0, script.1)?;
    let output = sandbox.exec(&Command::new(["python3", script.0]));
    sandbox.destroy()?;
    output
}

/// The module of the shipped runner that runs the tests of such a project.
pub(super) fn runner_module(environment: &Environment) -> &'static str {
    match environment.setup().runner {
        RunnerKind::Plain => "plain",
        RunnerKind::Pytest => "reporter",
    }
}

pub(super) fn run_command(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    limits: &Limits,
    command: &Command,
) -> Result<Output, SandboxError> {
    let mut sandbox = backend.create(&environment.spec(layers.to_vec(), limits.clone()))?;
    let output = sandbox.exec(command);
    sandbox.destroy()?;
    output
}

/// Starts a module of the shipped runner. Isolated mode keeps the tree and the variables out of the interpreter's start; `-S`
/// saves the time of looking for packages.
pub(super) fn runner_command(module: &str, instructions: &[(&str, String)]) -> Command {
    let start = format!(
        "import sys; sys.path.insert(0, '{RUNNER}'); import {PACKAGE}.{module} as runner; del sys.path[0]; runner.main()"
    );
    // One `key<TAB>value` per line. A value with a line break is left out: no file or test of that name can be run.
    let whole = instructions.iter().filter(|(_, value)| !value.contains('\n'));
    let stdin: String = whole.map(|(key, value)| format!("{key}\t{value}\n")).collect();
    Command { stdin: stdin.into_bytes(), report: true, ..Command::new(["python3", "-I", "-S", "-B", "-c", &start]) }
}

pub(super) fn instructions(
    environment: &Environment,
    selection: &Selection,
    secrets: &Secrets,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![("nonce", secrets.nonce.clone())];
    lines.extend(secrets.canaries.iter().map(|name| ("canary", name.clone())));
    lines.extend(environment.import_path().into_iter().map(|path| ("path", path)));
    lines.extend(environment.packages().map(|path| ("packages", path.to_owned())));
    lines.extend(selection.files.iter().filter(|path| !is_conftest(path)).map(|path| ("file", path.clone())));
    lines.extend(environment.setup().has_conftest().then(|| ("conftest", "1".to_owned())));
    lines.extend(selection.tests.iter().map(|id| ("test", id.clone())));
    lines.extend(selection.symptoms.then(|| ("symptoms", "1".to_owned())));
    lines.extend(selection.coverage.then(|| ("coverage", "1".to_owned())));
    lines.extend(processor_line(selection.processor));
    lines.extend(selection.patience.map(|limit| ("patience", limit.as_secs_f64().to_string())));
    lines
}

/// How the runner is told to stop itself.
pub(super) fn processor_line(limit: Option<Duration>) -> Option<(&'static str, String)> {
    Some(("processor", limit?.as_secs().max(1).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_tests_import_only_their_files() {
        let ids =
            ["tests/b.py::test_x".to_owned(), "tests/a.py::C::test_y".to_owned(), "tests/b.py::test_z[1]".to_owned()];
        assert_eq!(Selection::tests(&ids).files, ["tests/a.py", "tests/b.py"]);
    }

    #[test]
    fn every_run_has_other_secrets() {
        let draw = || Secrets::draw().expect("this machine has random numbers");
        assert_ne!(draw().nonce, draw().nonce);
    }
}
