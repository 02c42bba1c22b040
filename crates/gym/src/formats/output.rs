//! Files and directories that appear whole or not at all.

use std::path::Path;

use super::FormatError;
use crate::blobs::write_atomically;
use crate::tree::with_path;

/// Makes the directory `out`, filled by `fill`.
pub(super) fn directory<T>(out: &Path, fill: impl FnOnce(&Path) -> Result<T, FormatError>) -> Result<T, FormatError> {
    free(out)?;
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let partial = out.with_file_name(format!(".{name}.{}", std::process::id()));
    with_path(&partial, std::fs::create_dir_all(&partial))?;
    let outcome = fill(&partial).and_then(|value| {
        with_path(out, std::fs::rename(&partial, out))?;
        Ok(value)
    });
    if outcome.is_err() {
        let _ = std::fs::remove_dir_all(&partial);
    }
    outcome
}

/// Writes the file `out`.
pub(super) fn file(out: &Path, bytes: &[u8]) -> Result<(), FormatError> {
    free(out)?;
    if let Some(parent) = out.parent() {
        with_path(parent, std::fs::create_dir_all(parent))?;
    }
    Ok(write_atomically(out, bytes)?)
}

/// Lines of JSON.
pub(super) fn lines<T: serde::Serialize>(rows: &[T]) -> Vec<u8> {
    let line = |row: &T| serde_json::to_string(row).expect("rows have only string keys") + "\n";
    rows.iter().map(line).collect::<String>().into_bytes()
}

/// Writes a file below a directory that is being made.
pub(super) fn part(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), FormatError> {
    if let Some(parent) = path.parent() {
        with_path(parent, std::fs::create_dir_all(parent))?;
    }
    Ok(with_path(path, std::fs::write(path, bytes))?)
}

fn free(out: &Path) -> Result<(), FormatError> {
    match out.symlink_metadata() {
        Ok(_) => Err(FormatError::Taken(out.to_owned())),
        Err(_) => Ok(()),
    }
}
