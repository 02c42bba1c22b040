//! What can go wrong with a run store. Each error names the file or run and the next step.

use std::path::{Path, PathBuf};

/// Failures of the run store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No run has this name.
    #[error("no run `{name}` in `{root}`; `basis runs` lists what is there")]
    NoRun {
        /// The name or prefix that was asked for.
        name: String,
        /// Where runs were looked for.
        root: PathBuf,
    },
    /// A name or prefix fits several things.
    #[error("`{given}` is not unique: it fits {}; give more of it", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        given: String,
        /// Some of what it fits.
        candidates: Vec<String>,
    },
    /// No episode has this id.
    #[error("no episode `{given}` in run `{run}`; `basis show {run} --list` lists its episodes")]
    NoEpisode {
        /// The name of the run.
        run: String,
        /// The id or prefix that was asked for.
        given: String,
    },
    /// Another process writes the run.
    #[error("run `{run}` is being written by process {pid}; wait until it ends or stop it")]
    Running {
        /// The name of the run.
        run: String,
        /// The process id that the writer left in the lock, or `unknown`.
        pid: String,
    },
    /// The run is complete and cannot be written any more.
    #[error("run `{run}` is complete; start a new run")]
    Complete {
        /// The name of the run.
        run: String,
    },
    /// A newer version wrote the file.
    #[error("`{path}` has format {found}, this version reads up to {supported}; use a newer basis")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is understood.
        supported: u32,
    },
    /// The file is not what the store wrote.
    #[error("`{path}` is damaged: {reason}; move the run away or restore it")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file system is full. Everything that was acknowledged is safe.
    #[error("no space left for `{path}`; free some and run the same command again, nothing recorded is lost")]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The episode holds numbers that the format cannot keep.
    #[error("episode `{key}` cannot be stored: {reason}")]
    Unstorable {
        /// The episode.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file-system error.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An error of the database.
    #[error("`{path}`: {source}")]
    Database {
        /// The database file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Adds the path to a file-system error and recognises a full disk.
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, source },
        }
    }

    /// Adds the path to a database error and recognises a full disk and a damaged file.
    pub(super) fn database(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(DiskFull) => Self::DiskFull { path },
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged { path, reason: source.to_string() },
            _ => Self::Database { path, source },
        }
    }
}
