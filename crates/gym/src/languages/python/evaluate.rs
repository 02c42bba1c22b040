//! What calls give on a tree: evaluated in a fresh sandbox with the names of a test file, outside any test.

use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};

use super::Environment;
use super::events::{Event, parse};
use super::run::{processor_line, run_command, runner_command};
use crate::languages::{Call, Observation, Secrets};

/// Evaluates calls in order on the tree that `layers` make, all within `processor` time. A call that could not be evaluated observes nothing.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed.
pub fn evaluate(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    calls: &[Call],
    limits: &Limits,
    processor: Option<Duration>,
) -> Result<Vec<Observation>, SandboxError> {
    let secrets = Secrets::draw()?;
    let mut instructions = vec![("nonce", secrets.nonce.clone())];
    instructions.extend(environment.import_path().into_iter().map(|path| ("path", path)));
    instructions.extend(calls.iter().map(|call| ("call", format!("{}\t{}", call.path, call.source))));
    instructions.extend(processor_line(processor));
    let output = run_command(backend, environment, layers, limits, &runner_command("evaluate", &instructions))?;
    let mut observations = vec![Observation::default(); calls.len()];
    for event in parse(&output.report.bytes, &secrets.nonce).0 {
        if let Event::Value { index, value, exception } = event
            && let Some(observation) = observations.get_mut(index)
        {
            *observation = Observation { value, exception };
        }
    }
    Ok(observations)
}
