//! A pack: a task set with its trees and the evidence of its gates, as a directory.
//!
//! `pack.toml` is written last and holds the digests of the other files, so a pack is either whole or not there.

mod measured;
mod quarantine;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blobs::{BlobError, Blobs, write_atomically};
use crate::gate::Evidence;
use crate::project::Origin;
use crate::task::{SCHEMA_VERSION, Task};

pub use measured::Measured;
pub use quarantine::Quarantined;

/// A pack that has been read.
pub struct Pack {
    /// Where it lies.
    pub path: PathBuf,
    /// What `pack.toml` says.
    pub manifest: Manifest,
    /// Its tasks, in the order of the file, unless they are in quarantine.
    pub tasks: Vec<Arc<Task>>,
    /// Its trees.
    pub blobs: Arc<Blobs>,
}

/// What `pack.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the pack.
    pub name: String,
    /// Version of the task schema; older ones are read, newer ones refused.
    pub schema_version: u32,
    /// BLAKE3 of `tasks.jsonl`.
    pub tasks_digest: String,
    /// BLAKE3 of `gates.jsonl`.
    pub gates_digest: String,
    /// Number of tasks per skill.
    pub counts: BTreeMap<String, usize>,
    /// Origin and licence of each project.
    pub projects: BTreeMap<String, Origin>,
}

/// A pack that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// There is no pack.
    #[error("no pack at `{path}`: {reason}; make one with `basis mine`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What is not there.
        reason: String,
    },
    /// The pack does not fit its manifest.
    #[error("pack `{path}` is damaged: {reason}; fetch it or make it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The pack comes from a newer Basis.
    #[error("pack `{path}` has schema version {found}, this program reads up to {SCHEMA_VERSION}; update it")]
    Newer {
        /// The pack.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A blob cannot be read or written.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A file-system error, with its path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Pack {
    /// The blobs of a pack that is being made.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn blobs(path: &Path) -> Result<Arc<Blobs>, PackError> {
        Ok(Arc::new(Blobs::open(path.join("blobs"))?))
    }

    /// Writes tasks and evidence beside blobs that are already there. Only tasks that passed their gates get in.
    ///
    /// # Errors
    /// File-system errors; a pack that was there before is then unchanged or visibly incomplete.
    pub fn write(path: &Path, name: &str, tasks: &[Task], evidence: &[Evidence]) -> Result<Manifest, PackError> {
        let passed: std::collections::BTreeSet<&str> =
            evidence.iter().filter(|row| row.passed).map(|row| row.task.as_str()).collect();
        let kept: Vec<&Task> = tasks.iter().filter(|task| passed.contains(task.id.as_str())).collect();
        let (task_lines, gate_lines) = (lines(&kept), lines(&evidence.iter().collect::<Vec<_>>()));
        let mut counts = BTreeMap::new();
        let mut projects = BTreeMap::new();
        for task in &kept {
            *counts.entry(task.skill.clone()).or_default() += 1;
            projects.entry(task.project.clone()).or_insert_with(|| task.origin.clone());
        }
        let manifest = Manifest {
            name: name.to_owned(),
            schema_version: SCHEMA_VERSION,
            tasks_digest: digest(&task_lines),
            gates_digest: digest(&gate_lines),
            counts,
            projects,
        };
        write_atomically(&path.join("tasks.jsonl"), &task_lines)?;
        write_atomically(&path.join("gates.jsonl"), &gate_lines)?;
        let text = toml::to_string_pretty(&manifest).expect("a manifest is a table of plain values");
        write_atomically(&path.join("pack.toml"), text.as_bytes())?;
        Ok(manifest)
    }

    /// Reads a pack without the tasks that are in quarantine, and checks its digests. Trees are checked when they are used.
    ///
    /// # Errors
    /// [`PackError`] naming the file and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, PackError> {
        let list = quarantine::read(path)?;
        let pack = Self::open_whole(path)?;
        Ok(Self { tasks: quarantine::without(pack.tasks, &list), ..pack })
    }

    /// The same with all tasks, for those who judge them or look at what was done with them.
    ///
    /// # Errors
    /// As [`Pack::open`].
    pub fn open_whole(path: &Path) -> Result<Self, PackError> {
        let manifest_path = path.join("pack.toml");
        let text = std::fs::read_to_string(&manifest_path).map_err(|error| PackError::Missing {
            path: path.to_path_buf(),
            reason: format!("`pack.toml`: {error}"),
        })?;
        let damaged = |file: &Path, reason: String| PackError::Damaged { path: file.to_path_buf(), reason };
        let manifest: Manifest =
            toml::from_str(&text).map_err(|error| damaged(&manifest_path, error.message().to_owned()))?;
        if manifest.schema_version > SCHEMA_VERSION {
            return Err(PackError::Newer { path: path.to_path_buf(), found: manifest.schema_version });
        }
        let tasks_path = path.join("tasks.jsonl");
        let bytes = std::fs::read(&tasks_path).map_err(|error| damaged(&tasks_path, error.to_string()))?;
        if digest(&bytes) != manifest.tasks_digest {
            return Err(damaged(&tasks_path, "its content does not have the digest that `pack.toml` states".into()));
        }
        let tasks = String::from_utf8_lossy(&bytes)
            .lines()
            .map(|line| {
                serde_json::from_str(line).map(Arc::new).map_err(|error| damaged(&tasks_path, error.to_string()))
            })
            .collect::<Result<Vec<Arc<Task>>, PackError>>()?;
        Ok(Self { path: path.to_path_buf(), manifest, tasks, blobs: Self::blobs(path)? })
    }

    /// Tasks of one skill, in the order of the file.
    pub fn of_skill(&self, skill: &str) -> Vec<Arc<Task>> {
        self.tasks.iter().filter(|task| task.skill == skill).cloned().collect()
    }
}

fn lines<T: Serialize>(rows: &[&T]) -> Vec<u8> {
    let row = |row: &&T| serde_json::to_string(row).expect("rows have only string keys") + "\n";
    rows.iter().map(row).collect::<String>().into_bytes()
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
