//! All runs below one directory.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Manifest, Reader, StoreError, layout};

/// One run in a listing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RunEntry {
    /// Its name: the name of its directory.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// How far it is.
    pub state: RunState,
    /// The command that made it; empty when it cannot be read.
    pub command: String,
    /// Seconds since 1970 when it was created.
    pub started: u64,
    /// Episodes recorded.
    pub episodes: u64,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A process writes it.
    Running,
    /// It was finished.
    Complete,
    /// Its process ended first; the same command goes on with it.
    Interrupted,
    /// It cannot be read, for this reason.
    Damaged(String),
}

/// All runs below `root`, oldest first. A directory that is not there has none; a run that cannot be read is listed as damaged.
///
/// # Errors
/// [`StoreError::Io`] when the directory cannot be listed.
pub fn list_runs(root: &Path) -> Result<Vec<RunEntry>, StoreError> {
    let listing = match std::fs::read_dir(root) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(root, error)),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let dir = entry.map_err(|error| StoreError::io(root, error))?.path();
        // A run gets its name when it is laid out; what begins with a dot is not one yet.
        if !layout::run_name(&dir).starts_with('.') && layout::database(&dir).is_file() {
            entries.push(describe(&dir));
        }
    }
    entries.sort_by(|left, right| (left.started, &left.name).cmp(&(right.started, &right.name)));
    Ok(entries)
}

/// The directory of a run: a path to it, its name, the beginning of its name, or `last` for the newest.
///
/// # Errors
/// [`StoreError::NoRun`], [`StoreError::Ambiguous`], [`StoreError::Io`].
pub fn find_run(root: &Path, given: &str) -> Result<PathBuf, StoreError> {
    if given.contains('/') {
        return Ok(PathBuf::from(given));
    }
    let runs = list_runs(root)?;
    let fitting: Vec<_> = match runs.iter().find(|run| run.name == given) {
        Some(exact) => vec![exact],
        None if given == "last" => runs.last().into_iter().collect(),
        None => runs.iter().filter(|run| run.name.starts_with(given)).collect(),
    };
    match fitting.as_slice() {
        [] => Err(StoreError::NoRun { name: given.to_owned(), root: root.to_path_buf() }),
        [run] => Ok(run.dir.clone()),
        several => Err(StoreError::Ambiguous {
            given: given.to_owned(),
            candidates: several.iter().take(4).map(|run| format!("`{}`", run.name)).collect(),
        }),
    }
}

fn describe(dir: &Path) -> RunEntry {
    let read = || {
        let reader = Reader::open(dir)?;
        Ok::<_, StoreError>((state(dir)?, reader.command()?, reader.started()?, reader.count()?))
    };
    let damaged = |error: StoreError| (RunState::Damaged(error.to_string()), String::new(), 0, 0);
    let (state, command, started, episodes) = read().unwrap_or_else(damaged);
    RunEntry { name: layout::run_name(dir), dir: dir.to_path_buf(), state, command, started, episodes }
}

fn state(dir: &Path) -> Result<RunState, StoreError> {
    if Manifest::read(dir)?.is_some() {
        return Ok(RunState::Complete);
    }
    let path = layout::lock(dir);
    let file = File::open(&path).map_err(|error| StoreError::io(&path, error))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(RunState::Interrupted),
        Err(TryLockError::WouldBlock) => Ok(RunState::Running),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path, error)),
    }
}
