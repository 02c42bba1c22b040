//! The manifest of a run, written last: its presence means that the run is complete.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{StoreError, layout};

/// Version of the manifest. A newer one is refused; fields that an older one lacks get defaults.
const VERSION: u32 = 1;

/// What a complete run says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file.
    pub format: u32,
    /// The command that made the run, for example `train`.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Seconds since 1970 when the run was created.
    pub started: u64,
    /// Seconds since 1970 when it was complete.
    pub finished: u64,
    /// Episodes recorded.
    pub episodes: u64,
    /// What the command wants to say at the end; each command has its own shape.
    pub summary: serde_json::Value,
}

impl Manifest {
    pub(super) fn new(command: String, started: u64, episodes: u64, summary: serde_json::Value) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: VERSION, command, version, started, finished: layout::now(), episodes, summary }
    }

    /// Writes the manifest so that it is there completely or not at all.
    pub(super) fn write(&self, run: &Path) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(self).expect("a manifest has only string keys");
        write_atomically(&layout::manifest(run), &json)
    }

    /// Reads the manifest; `None` when the run is not complete.
    pub(super) fn read(run: &Path) -> Result<Option<Self>, StoreError> {
        let path = layout::manifest(run);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        let manifest: Self = serde_json::from_slice(&json)
            .map_err(|error| StoreError::Damaged { path: path.clone(), reason: error.to_string() })?;
        if manifest.format > VERSION {
            return Err(StoreError::Newer { path, found: manifest.format, supported: VERSION });
        }
        Ok(Some(manifest))
    }
}

/// Replaces a file so that readers, and a process that is killed, see the old bytes or the new ones and nothing between.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let partial = path.with_extension("partial");
    let write = || {
        let mut file = fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&partial);
        StoreError::io(path, error)
    })
}
