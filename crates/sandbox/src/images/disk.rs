//! What the cache does to files and directories, with the path in every error.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::FlockOperation;

use super::ImageError;

/// Locks a file, waiting for whoever holds it.
pub(super) fn flock(file: &File, operation: FlockOperation) -> Result<(), ImageError> {
    loop {
        match rustix::fs::flock(file, operation) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(|error| ImageError::system("lock a layer of the image cache", error)),
        }
    }
}

/// Remembers that a layer was used now. Without this it is only evicted earlier.
pub(super) fn touch(lock: &File) {
    let _ = lock.set_modified(SystemTime::now());
}

/// Writes a small file so that it is there whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<(), ImageError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fresh = path.with_file_name(format!(".{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|error| ImageError::system(format!("write {}", path.display()), error))
}

/// Makes a directory with its parents, unless it is there.
pub(super) fn make(path: &Path) -> Result<(), ImageError> {
    fs::create_dir_all(path).map_err(|error| ImageError::system(format!("make {}", path.display()), error))
}

/// Removes a directory with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), ImageError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ImageError::system(format!("remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}
