//! File-system calls that put the path into the error and never leave half a file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::super::super::EngineError;

/// Writes a file so that readers see the old or the new content, whatever happens in between.
pub(super) fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), EngineError> {
    let partial = path.with_extension("partial");
    let written = File::create(&partial).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        content(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()
    });
    let result = written.and_then(|()| fs::rename(&partial, path));
    if result.is_err() {
        // Best effort: the error that is reported is the first one.
        let _ = fs::remove_file(&partial);
    }
    result.map_err(at(path))
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, EngineError> {
    fs::read(path).map_err(at(path))
}

/// Makes a directory and those above it.
pub(super) fn create_dir(path: &Path) -> Result<(), EngineError> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Puts the path into an error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io { path, source }
}

/// What is wrong with a file.
pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> EngineError {
    EngineError::Damaged { path: path.to_owned(), reason: reason.into() }
}
