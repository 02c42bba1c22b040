//! Trees as commits of a repository of our own. Nothing is checked out, and no repository of others is written to.

use std::path::Path;

use super::command::{git, run};
use crate::sources::SourceError;
use crate::tree::Tree;

/// A commit to be made.
pub struct Draft<'a> {
    /// All files.
    pub tree: &'a Tree,
    /// The commit before it, if there is one.
    pub parent: Option<&'a str>,
    /// What is written about it.
    pub message: &'a str,
    /// When, in seconds since 1970.
    pub time: u64,
}

/// Makes an empty bare repository in a directory that is there.
///
/// # Errors
/// [`SourceError::Git`].
pub fn create(directory: &Path) -> Result<(), SourceError> {
    let what = directory.display().to_string();
    run(git(directory).args(["init", "--quiet", "--bare", "--initial-branch=main", "--template="]), "", &what).map(drop)
}

/// Makes a commit that `reference` points to afterwards, and returns its hash. The same draft always gives the same one.
///
/// # Errors
/// [`SourceError::Git`].
pub fn write(directory: &Path, reference: &str, draft: &Draft<'_>) -> Result<String, SourceError> {
    let what = directory.display().to_string();
    let mut fast = git(directory);
    fast.args(["fast-import", "--quiet", "--done", "--force", "--date-format=raw"]);
    run(&mut fast, stream(reference, draft), &what)?;
    let id = run(git(directory).args(["rev-parse", "--verify", "--end-of-options", reference]), "", &what)?;
    Ok(String::from_utf8_lossy(&id).lines().last().unwrap_or_default().trim().to_owned())
}

fn stream(reference: &str, draft: &Draft<'_>) -> Vec<u8> {
    let mut stream =
        format!("commit {reference}\ncommitter Basis <basis@localhost> {} +0000\n", draft.time).into_bytes();
    data(&mut stream, draft.message.as_bytes());
    if let Some(parent) = draft.parent {
        stream.extend(format!("from {parent}\n").bytes());
    }
    stream.extend(b"deleteall\n");
    for (path, bytes) in draft.tree.iter() {
        let quoted = path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        stream.extend(format!("M 100644 inline \"{quoted}\"\n").bytes());
        data(&mut stream, bytes);
    }
    stream.extend(b"\ndone\n");
    stream
}

fn data(stream: &mut Vec<u8>, bytes: &[u8]) {
    stream.extend(format!("data {}\n", bytes.len()).bytes());
    stream.extend(bytes);
    stream.push(b'\n');
}
