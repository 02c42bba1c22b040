//! Replaces grades of a recorded run; every earlier one is kept. Works on complete and interrupted runs, not on one that is written.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::recorder::{acquire, boundary};
use super::{StoreError, body, layout, schema};
use crate::episode::{Episode, Grade};

/// The one writer of a run's grades.
pub struct Regrader {
    run: PathBuf,
    connection: Connection,
    _lock: File,
}

/// A grade that was replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct OldGrade {
    /// Seconds since 1970 when it was replaced.
    pub replaced: u64,
    /// The grade.
    pub grade: Grade,
}

impl Regrader {
    /// Opens a run that nobody writes.
    ///
    /// # Errors
    /// [`StoreError::Running`], [`StoreError::Newer`], [`StoreError::Io`], [`StoreError::Database`].
    pub fn open(run: &Path) -> Result<Self, StoreError> {
        let lock = acquire(run)?;
        let connection = schema::open_writer(&layout::database(run))?;
        Ok(Self { run: run.to_path_buf(), connection, _lock: lock })
    }

    /// Gives the episode with this row number, which is `episode` but for its grade, another one.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Unstorable`], [`StoreError::Database`]. The row is then as before.
    pub fn replace(&mut self, id: i64, episode: &Episode, grade: Grade) -> Result<(), StoreError> {
        let unstorable = |reason: String| StoreError::Unstorable { key: id.to_string(), reason };
        let old = serde_json::to_string(&episode.grade).map_err(|error| unstorable(error.to_string()))?;
        let new = Episode { grade, ..episode.clone() };
        let packed = body::pack(&new).map_err(unstorable)?;
        let (code, invalid) = match &new.grade {
            Grade::Scored(score) => (Some(score.code.as_str()), None),
            Grade::Invalid(cause) => (None, Some(boundary(cause))),
        };
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            transaction.execute(
                "INSERT INTO grades (episode, replaced, grade) VALUES (?, ?, ?)",
                params![id, layout::now() as i64, old],
            )?;
            transaction.execute(
                "UPDATE episodes SET reward = ?, code = ?, invalid = ?, body = ? WHERE id = ?",
                params![new.reward(), code, invalid, packed, id],
            )?;
            transaction.commit()
        };
        write().map_err(|error| StoreError::database(&layout::database(&self.run), error))
    }

    /// The grades that an episode had before, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub fn history(&self, id: i64) -> Result<Vec<OldGrade>, StoreError> {
        let path = layout::database(&self.run);
        let read = || -> rusqlite::Result<Vec<(i64, String)>> {
            let mut statement =
                self.connection.prepare("SELECT replaced, grade FROM grades WHERE episode = ? ORDER BY rowid")?;
            statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        let rows = read().map_err(|error| StoreError::database(&path, error))?;
        let grade = |(replaced, text): (i64, String)| {
            let grade = serde_json::from_str(&text)
                .map_err(|error| StoreError::Damaged { path: path.clone(), reason: error.to_string() })?;
            Ok(OldGrade { replaced: replaced.unsigned_abs(), grade })
        };
        rows.into_iter().map(grade).collect()
    }
}

impl Drop for Regrader {
    fn drop(&mut self) {
        // One plain file again; fails while somebody reads, which is harmless.
        let _ = self.connection.pragma_update(None, "journal_mode", "DELETE");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{InvalidCause, Score};
    use crate::store::tests::{START, episode};
    use crate::store::{Reader, Recorder};

    fn scored(reward: f64) -> Grade {
        Grade::Scored(Score { reward, code: "new".into(), detail: String::new(), table: vec![] })
    }

    #[test]
    fn a_complete_run_gets_other_grades_and_keeps_the_old_ones() {
        let root = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(root.path(), START).unwrap();
        let run = recorder.dir().to_path_buf();
        assert!(matches!(Regrader::open(&run), Err(StoreError::Running { .. })));
        recorder.record("train", 0, &episode("a", 0, 1.0)).unwrap();
        recorder.finish(serde_json::Value::Null).unwrap();
        let mut regrader = Regrader::open(&run).unwrap();
        let (row, stored) = Reader::open(&run).unwrap().episode("1").unwrap();
        regrader.replace(row.id, &stored, scored(0.0)).unwrap();
        let (_, stored) = Reader::open(&run).unwrap().episode("1").unwrap();
        regrader.replace(row.id, &stored, Grade::Invalid(InvalidCause::Task("gone".into()))).unwrap();
        let history: Vec<Grade> = regrader.history(row.id).unwrap().into_iter().map(|old| old.grade).collect();
        assert_eq!(history, [episode("a", 0, 1.0).grade, scored(0.0)]);
        drop(regrader);
        let (row, stored) = Reader::open(&run).unwrap().episode("1").unwrap();
        assert_eq!((row.reward, row.invalid.as_deref(), stored.reward()), (None, Some("task"), None));
    }

    #[test]
    fn a_run_of_the_first_format_is_read_as_it_is_and_can_be_graded_again() {
        let root = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(root.path(), START).unwrap();
        let run = recorder.dir().to_path_buf();
        recorder.record("train", 0, &episode("a", 0, 1.0)).unwrap();
        recorder.finish(serde_json::Value::Null).unwrap();
        let database = Connection::open(layout::database(&run)).unwrap();
        database.execute_batch("DROP TABLE grades; PRAGMA user_version = 1;").unwrap();
        drop(database);
        let (row, stored) = Reader::open(&run).unwrap().episode("1").unwrap();
        let mut regrader = Regrader::open(&run).unwrap();
        regrader.replace(row.id, &stored, scored(0.0)).unwrap();
        assert_eq!(regrader.history(row.id).unwrap().len(), 1);
    }
}
