//! The database of a run: its tables and their version.
//!
//! The version stands in SQLite's `user_version`. A newer one is refused. An older one is brought up to date step by step when
//! the recorder opens it; readers never change a file, so a reader refuses what only a step could make readable. Version 2 adds
//! the grades that were replaced, which readers do without; version 3 has episodes of programs, whose ends earlier ones do not know.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// The version that this code writes.
pub(super) const VERSION: u32 = 3;
/// The oldest version that a reader understands without a step.
const OLDEST_READABLE: u32 = 1;

/// `(from, statements)`: what turns version `from` into `from + 1`.
const STEPS: &[(u32, &str)] = &[(1, GRADES), (2, "")];

const GRADES: &str = "
CREATE TABLE IF NOT EXISTS grades (
    episode INTEGER NOT NULL, -- its id
    replaced INTEGER NOT NULL, -- seconds since 1970
    grade TEXT NOT NULL       -- JSON of the grade that stood there
);";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS episodes (
    id INTEGER PRIMARY KEY,
    phase TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    task TEXT NOT NULL,
    sample INTEGER NOT NULL,
    skill TEXT NOT NULL,
    policy TEXT NOT NULL,
    reward REAL,              -- NULL when the episode is invalid
    code TEXT,                -- NULL when the episode is invalid
    invalid TEXT,             -- the boundary that failed; NULL when the episode was judged
    turns INTEGER NOT NULL,
    sampled_tokens INTEGER NOT NULL,
    acting_ms INTEGER NOT NULL,
    grading_ms INTEGER NOT NULL,
    body BLOB NOT NULL,       -- the whole episode: JSON, compressed with zstd
    UNIQUE (phase, iteration, task, sample)
);";

/// Opens the database for its one writer, creating or upgrading it.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let wrap = |error| StoreError::database(path, error);
    let connection = Connection::open(path).map_err(wrap)?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(wrap)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(wrap)?;
    // In WAL mode NORMAL survives every kill of the process; only a power failure can take the newest rows.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(wrap)?;
    let found = version(&connection, path)?;
    if found == 0 {
        let create = format!("BEGIN; {TABLES} {GRADES} PRAGMA user_version = {VERSION}; COMMIT;");
        connection.execute_batch(&create).map_err(wrap)?;
    }
    for (from, statements) in STEPS.iter().filter(|(from, _)| found > 0 && *from >= found) {
        let step = format!("BEGIN; {statements} PRAGMA user_version = {}; COMMIT;", from + 1);
        connection.execute_batch(&step).map_err(wrap)?;
    }
    Ok(connection)
}

/// Opens the database for reading only; the writer may be at work.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let wrap = |error| StoreError::database(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(wrap)?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(wrap)?;
    let found = version(&connection, path)?;
    if found < OLDEST_READABLE {
        let reason = format!(
            "format {found} is incomplete or older than {OLDEST_READABLE}; resume the run to bring it up to date"
        );
        return Err(StoreError::Damaged { path: path.to_path_buf(), reason });
    }
    Ok(connection)
}

fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| StoreError::database(path, error))?;
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_path_buf(), found, supported: VERSION });
    }
    Ok(found)
}
