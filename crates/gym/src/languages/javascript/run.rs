//! Runs tests of a project, each call in one fresh sandbox.
//!
//! The runner gets its instructions, a nonce and the names of two canaries on standard input and answers on the report channel; nothing
//! that is printed counts. An error is always one of the infrastructure.

use std::path::PathBuf;

use basis_sandbox::{Backend, Command, Limits, Output, SandboxError};
use serde_json::{Value, json};

use super::assemble::{Assembled, assemble};
use super::environment::{Environment, RUNNER};
use super::evaluate::evaluate;
use super::events::SymptomEvent;
use super::subject;
use crate::languages::{Call, Secrets, Selection, TestReport};
use crate::project::RunnerKind;
use crate::record::{Symptom, TestId};

/// Runs the selected tests of the tree that `layers` make, lowest first.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed; whatever the tests do is in the report.
pub(super) fn run_tests(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    selection: &Selection,
    limits: &Limits,
) -> Result<TestReport, SandboxError> {
    let secrets = Secrets::draw()?;
    let asked = json!({
        "nonce": secrets.nonce,
        "runner": environment.setup().runner,
        "canaries": secrets.canaries,
        "files": selection.files,
        "symptoms": selection.symptoms,
        "coverage": selection.coverage,
        "processor": selection.processor.map(|limit| limit.as_secs().max(1)),
    });
    let output = run_program(backend, environment, layers, limits, ("main.mjs", &asked))?;
    let Assembled { mut report, symptoms } = assemble(&output, selection, &secrets);
    let seen = symptoms.into_iter().filter(|(test, _)| selection.symptoms && report.outcomes.contains_key(test));
    let mut seen: Vec<Symptom> = seen.map(|(test, event)| symptom(test, event, layers)).collect();
    // Others show compared values in words only; so the call is looked at alone.
    if environment.setup().runner != RunnerKind::NodeTest {
        observe(backend, environment, layers, limits, &mut seen)?;
    }
    for symptom in seen {
        if let Some(outcome) = report.outcomes.get_mut(&symptom.test) {
            outcome.symptom = Some(symptom);
        }
    }
    Ok(report)
}

/// Fills in what calls give of which the test showed no value.
fn observe(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    limits: &Limits,
    symptoms: &mut [Symptom],
) -> Result<(), SandboxError> {
    let mut unknown: Vec<&mut Symptom> =
        symptoms.iter_mut().filter(|it| it.call.is_some() && it.actual.is_none() && it.exception.is_none()).collect();
    let call = |symptom: &&mut Symptom| {
        let path = symptom.test.split("::").next().unwrap_or_default().to_owned();
        Call { path, source: symptom.call.clone().unwrap_or_default() }
    };
    let calls: Vec<Call> = unknown.iter().map(call).collect();
    if calls.is_empty() {
        return Ok(());
    }
    let observed = evaluate(backend, environment, layers, &calls, limits)?;
    for (symptom, observation) in unknown.iter_mut().zip(observed) {
        symptom.actual = observation.value;
    }
    Ok(())
}

/// Runs a program of the shipped runner with instructions on standard input.
pub(super) fn run_program(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    limits: &Limits,
    (program, asked): (&str, &Value),
) -> Result<Output, SandboxError> {
    let mut sandbox = backend.create(&environment.spec(layers.to_vec(), limits.clone()))?;
    let stdin = asked.to_string().into_bytes();
    let argv = [format!("{RUNNER}/bin/node"), format!("{RUNNER}/{program}")];
    let output = sandbox.exec(&Command { stdin, report: true, ..Command::new(argv) });
    sandbox.destroy()?;
    output
}

/// The text of a file of the tree that `layers` make, lowest first.
pub(super) fn text_in(layers: &[PathBuf], path: &str) -> Option<String> {
    layers.iter().rev().find_map(|layer| std::fs::read_to_string(layer.join(path)).ok())
}

/// What the test showed, with the call that it is about.
fn symptom(test: TestId, event: SymptomEvent, layers: &[PathBuf]) -> Symptom {
    let text = test.split("::").next().and_then(|path| text_in(layers, path));
    let call = text.and_then(|text| subject::at(&text, event.line, event.column));
    Symptom { test, call, actual: event.actual, expected: event.expected, exception: event.exception }
}
