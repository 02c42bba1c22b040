//! Runs a script: an example of the crate, built offline like its tests.

use basis_sandbox::{Command, Outcome, Sandbox, SandboxError};

use super::environment::TARGET;

/// The exit status of a program that panicked, which is how a failed assertion shows.
const PANICKED: i32 = 101;
/// The exit status said of what does not compile; no verdict takes it for an answer.
const BROKEN: i32 = 2;

/// Builds and runs the example at `path`. One that panicked is said to have ended with 1.
///
/// # Errors
/// [`SandboxError`] when the infrastructure failed.
pub(super) fn run(sandbox: &mut dyn Sandbox, path: &str) -> Result<Outcome, SandboxError> {
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let build = ["cargo", "build", "--offline", "--locked", "--quiet", "--example", name];
    match sandbox.exec(&Command::new(build))?.outcome {
        Outcome::Exited(0) => {}
        Outcome::Exited(_) => return Ok(Outcome::Exited(BROKEN)),
        other => return Ok(other),
    }
    let program = format!("{TARGET}/debug/examples/{name}");
    Ok(match sandbox.exec(&Command::new([program]))?.outcome {
        Outcome::Exited(PANICKED) => Outcome::Exited(1),
        other => other,
    })
}
