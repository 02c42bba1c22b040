//! The sandbox in which a backend proves, when it is opened, that this machine can run it.

use crate::{Command, Limits, Outcome, Sandbox, SandboxError, SandboxSpec};

/// Over one read-only layer, for one command of the shell.
pub(super) fn spec(limits: Limits) -> SandboxSpec {
    SandboxSpec {
        root: Vec::new(),
        layers: vec!["/usr/bin".into()],
        workdir: "/work".into(),
        mounts: Vec::new(),
        env: std::collections::BTreeMap::new(),
        limits,
    }
}

/// Runs a command whose status cannot be an accident, and destroys the sandbox.
///
/// # Errors
/// [`SandboxError::Unavailable`] of `backend` when the command ended otherwise; others from the sandbox.
pub(super) fn run(backend: &'static str, mut sandbox: Box<dyn Sandbox>) -> Result<(), SandboxError> {
    let output = sandbox.exec(&Command::new(["/bin/sh", "-c", "exit 7"]))?;
    if output.outcome != Outcome::Exited(7) {
        let reason = format!("a trial command ended with {:?}: {}", output.outcome, output.stderr.text());
        return Err(SandboxError::Unavailable { backend, reason });
    }
    sandbox.destroy()
}
