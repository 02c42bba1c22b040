//! File-system calls that put the path into the error and never leave half a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::super::EngineError;

/// Writes a file so that readers see the old or the new content, whatever happens in between.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), EngineError> {
    let partial = path.with_extension("partial");
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let result = written.and_then(|()| fs::rename(&partial, path));
    if result.is_err() {
        // Best effort: the error that is reported is the first one.
        let _ = fs::remove_file(&partial);
    }
    result.map_err(at(path))
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, EngineError> {
    fs::read(path).map_err(at(path))
}

/// Makes a directory and those above it.
pub(crate) fn create_dir(path: &Path) -> Result<(), EngineError> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io { path, source }
}
