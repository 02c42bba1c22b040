//! Tells what the agent did to a path from what happened to the sandbox.
//!
//! An agent must not be able to turn a bad score into an invalid episode by leaving odd paths behind.

use std::io::ErrorKind;

use basis_sandbox::SandboxError;

/// The line for the agent when `error` is about its path or its disk space.
///
/// # Errors
/// The same error, when the sandbox itself failed.
pub(crate) fn refusal(error: SandboxError) -> Result<String, SandboxError> {
    match error {
        SandboxError::NotFound(path) => Ok(format!("no file `{path}`")),
        SandboxError::NotRegular(path) => Ok(format!("`{path}` is not a regular file in the repository")),
        SandboxError::TooLarge { path, size, max } => Ok(format!("`{path}` has {size} bytes, more than {max}")),
        SandboxError::Spec { reason, .. } => Ok(reason),
        SandboxError::System { source, .. } if is_the_agents_doing(source.kind()) => Ok(describe(source.kind())),
        error => Err(error),
    }
}

fn is_the_agents_doing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
    )
}

/// The kind alone: the full error could carry paths of the host.
fn describe(kind: ErrorKind) -> String {
    kind.to_string()
}
