//! Collects what the agent changed, from the host side and after all its processes are dead.
//!
//! Only regular files with UTF-8 text within the limits count. Links, devices and everything else are listed with the
//! reason and never followed. Bytecode and test caches are left out silently: running the tests makes them.

use basis_sandbox::{Change, ChangeKind, Sandbox, SandboxError};

use super::{AgentLimits, tools};
use crate::episode::FileChange;

/// Changed files and ignored paths with their reasons, both sorted by path.
type Collected = (Vec<FileChange>, Vec<(String, String)>);

/// Freezes the sandbox and reads every file that differs from the task's tree.
///
/// # Errors
/// When the sandbox was lost; never because of what the agent left there.
pub(crate) fn changed_files(sandbox: &mut dyn Sandbox, limits: &AgentLimits) -> Result<Collected, SandboxError> {
    sandbox.freeze()?;
    let mut files = Vec::new();
    let mut ignored = Vec::new();
    let mut bytes_left = limits.submission_bytes;
    for change in sandbox.changes()? {
        // Trees have no modes of directories.
        if is_cache(&change.path) || matches!(change.kind, ChangeKind::Directory { .. }) {
            continue;
        }
        let outcome = match files.len() < limits.files {
            true => read(sandbox, &change, limits.file_bytes.min(bytes_left))?,
            false => Err(format!("more than {} files", limits.files)),
        };
        match outcome {
            Ok(content) => {
                bytes_left -= content.as_ref().map_or(0, |text| text.len() as u64);
                files.push(FileChange { path: change.path, content });
            }
            Err(reason) => ignored.push((change.path, reason)),
        }
    }
    Ok((files, ignored))
}

/// The new content, `None` for a deleted file, or the reason why the change does not count.
fn read(sandbox: &mut dyn Sandbox, change: &Change, max: u64) -> Result<Result<Option<String>, String>, SandboxError> {
    Ok(match change.kind {
        ChangeKind::Deleted => Ok(None),
        ChangeKind::Link { .. } => Err("a symbolic link".to_owned()),
        ChangeKind::Special | ChangeKind::Directory { .. } => Err("not a regular file".to_owned()),
        ChangeKind::File { size, .. } if size > max => Err(format!("{size} bytes, more than the {max} allowed")),
        ChangeKind::File { .. } => match sandbox.read(&change.path, max) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| "not UTF-8 text".to_owned()),
            Err(error) => Err(tools::refusal(error)?),
        },
    })
}

fn is_cache(path: &str) -> bool {
    path.ends_with(".pyc") || path.split('/').any(|part| part == "__pycache__" || part == ".pytest_cache")
}
