//! What calls give on a tree: evaluated in a fresh sandbox with the names of a test file, outside any test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use basis_sandbox::{Backend, Limits, SandboxError};
use serde_json::json;

use super::environment::Environment;
use super::events::{Event, parse};
use super::run::{run_program, text_in};
use super::subject::names_only;
use crate::languages::{Call, Observation, Secrets};

/// Calls that take longer, all together, show nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Evaluates calls in order on the tree that `layers` make. A call that could not be evaluated observes nothing.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed.
pub(super) fn evaluate(
    backend: &dyn Backend,
    environment: &Environment,
    layers: &[PathBuf],
    calls: &[Call],
    limits: &Limits,
) -> Result<Vec<Observation>, SandboxError> {
    let secrets = Secrets::draw()?;
    let names: BTreeMap<&str, String> =
        calls.iter().filter_map(|call| Some((call.path.as_str(), names_only(&text_in(layers, &call.path)?)))).collect();
    let asked = json!({
        "nonce": secrets.nonce,
        "names": names,
        "calls": calls.iter().map(|call| json!([call.path, call.source])).collect::<Vec<_>>(),
    });
    let limits = Limits { wall: limits.wall.min(PATIENCE), ..limits.clone() };
    let output = run_program(backend, environment, layers, &limits, ("evaluate.mjs", &asked))?;
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
