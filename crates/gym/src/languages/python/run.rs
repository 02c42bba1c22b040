//! Runs tests and scripts of a project, each call in one fresh sandbox.
//!
//! The runner gets its instructions, a nonce and the names of two canaries on standard input and answers on the report channel; nothing
//! that is printed counts. An error is always one of the infrastructure.

use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Command, Limits, Output, SandboxError};

use super::Environment;
use super::assemble::assemble;
use super::environment::{PACKAGE, RUNNER};
use crate::languages::{Secrets, Selection, TestReport};
use crate::project::{RunnerKind, is_conftest};

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
        RunnerKind::Pytest => "reporter",
        _ => "plain",
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
        "import sys; sys.path.insert(0, '{RUNNER}'); import {PACKAGE}.{module} as runner; del sys.path[0]
main, given = runner.main, ()
while True: main, given = main(*given)"
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
