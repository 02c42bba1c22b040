//! Reads a run, complete or not, also while it is being written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{EpisodeKey, Manifest, MetricsRow, StoreError, body, layout, metrics, schema};
use crate::episode::Episode;

/// Reads one run.
pub struct Reader {
    run: PathBuf,
    connection: Connection,
}

/// What the database knows of an episode without opening its body.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct EpisodeRow {
    /// Short number within the run, from 1, in the order of recording.
    pub id: i64,
    /// The episode's name within the run.
    #[serde(flatten)]
    pub key: EpisodeKey,
    /// The task's skill.
    pub skill: String,
    /// Name of the policy.
    pub policy: String,
    /// The reward; `None` when the episode is invalid.
    pub reward: Option<f64>,
    /// Code of the failure taxonomy; `None` when the episode is invalid.
    pub code: Option<String>,
    /// The boundary that failed: `sandbox`, `model`, `grader`, `task`; `None` when the episode was judged.
    pub invalid: Option<String>,
    /// Assistant turns.
    pub turns: u32,
    /// Tokens that an engine sampled; 0 for other policies.
    pub sampled_tokens: u64,
    /// Wall time of acting, in whole milliseconds.
    pub acting: Duration,
    /// Wall time of grading, in whole milliseconds.
    pub grading: Duration,
}

/// Which episodes are wanted; `None` wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpisodeFilter {
    /// Only this phase.
    pub phase: Option<String>,
    /// Only this iteration.
    pub iteration: Option<u32>,
    /// Only this skill.
    pub skill: Option<String>,
    /// Only this task.
    pub task: Option<String>,
    /// Only the first so many.
    pub limit: Option<u32>,
}

/// Episodes of one phase, iteration and skill, summed up.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Cell {
    /// The phase.
    pub phase: String,
    /// The iteration.
    pub iteration: u32,
    /// The skill.
    pub skill: String,
    /// All episodes.
    pub episodes: u64,
    /// How many of them are invalid.
    pub invalid: u64,
    /// Mean reward of the judged ones; `None` when there are none.
    pub reward: Option<f64>,
    /// Mean number of assistant turns.
    pub turns: f64,
    /// Mean number of sampled tokens.
    pub sampled_tokens: f64,
    /// Mean wall time of acting, in seconds.
    pub acting_seconds: f64,
    /// Mean wall time of grading, in seconds.
    pub grading_seconds: f64,
}

const COLUMNS: &str = "id, phase, iteration, task, sample, skill, policy, reward, code, invalid, turns, sampled_tokens, \
                       acting_ms, grading_ms";

const MATCHES: &str = "(?1 IS NULL OR phase = ?1) AND (?2 IS NULL OR iteration = ?2) AND (?3 IS NULL OR skill = ?3) \
                       AND (?4 IS NULL OR task = ?4)";

impl Reader {
    /// Opens the run in this directory.
    ///
    /// # Errors
    /// [`StoreError::NoRun`] when there is none, [`StoreError::Damaged`], [`StoreError::Newer`].
    pub fn open(run: &Path) -> Result<Self, StoreError> {
        let database = layout::database(run);
        if !database.is_file() {
            let root = run.parent().unwrap_or(run).to_path_buf();
            return Err(StoreError::NoRun { name: layout::run_name(run), root });
        }
        Ok(Self { run: run.to_path_buf(), connection: schema::open_reader(&database)? })
    }

    /// Rows in the order of phases' first appearance, iterations, tasks and samples.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub fn rows(&self, filter: &EpisodeFilter) -> Result<Vec<EpisodeRow>, StoreError> {
        let limit = filter.limit.map_or(-1, i64::from);
        let query = format!(
            "SELECT {COLUMNS} FROM episodes WHERE {MATCHES}
             ORDER BY (SELECT min(first.id) FROM episodes first WHERE first.phase = episodes.phase),
                      iteration, skill, task, sample LIMIT ?5"
        );
        let read = || {
            let mut statement = self.connection.prepare(&query)?;
            let parameters = params![filter.phase, filter.iteration, filter.skill, filter.task, limit];
            statement.query_map(parameters, episode_row)?.collect()
        };
        self.wrap(read())
    }

    /// One episode: by its row number, or by its key or the beginning of it.
    ///
    /// # Errors
    /// [`StoreError::NoEpisode`], [`StoreError::Ambiguous`], [`StoreError::Damaged`].
    pub fn episode(&self, given: &str) -> Result<(EpisodeRow, Episode), StoreError> {
        let row = match given.parse::<i64>() {
            Ok(id) => self.row_by_id(id)?,
            Err(_) => self.row_by_prefix(given)?,
        };
        let row = row.ok_or_else(|| StoreError::NoEpisode { run: self.name(), given: given.to_owned() })?;
        let episode = self.episode_of(&row)?;
        Ok((row, episode))
    }

    /// The episode of a row.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub fn episode_of(&self, row: &EpisodeRow) -> Result<Episode, StoreError> {
        let body = self.wrap(self.connection.query_row("SELECT body FROM episodes WHERE id = ?", [row.id], blob))?;
        self.unpack(&row.key.to_string(), &body)
    }

    /// All episodes of one iteration of a phase, in the order of task and sample: what a resumed run need not do again.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub fn episodes(&self, phase: &str, iteration: u32) -> Result<Vec<Episode>, StoreError> {
        let read = || -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
            let mut statement = self
                .connection
                .prepare("SELECT task, body FROM episodes WHERE phase = ? AND iteration = ? ORDER BY task, sample")?;
            statement.query_map(params![phase, iteration], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        self.wrap(read())?.iter().map(|(task, body)| self.unpack(task, body)).collect()
    }

    /// Task and sample of every recorded episode of one iteration of a phase.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn completed(&self, phase: &str, iteration: u32) -> Result<BTreeSet<(String, u32)>, StoreError> {
        let read = || {
            let mut statement =
                self.connection.prepare("SELECT task, sample FROM episodes WHERE phase = ? AND iteration = ?")?;
            statement.query_map(params![phase, iteration], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        self.wrap(read())
    }

    /// One cell per phase, iteration and skill, phases in the order of their first appearance.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn overview(&self) -> Result<Vec<Cell>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT phase, iteration, skill, count(*), count(invalid), avg(reward), avg(turns), avg(sampled_tokens),
                        avg(acting_ms) / 1000, avg(grading_ms) / 1000
                 FROM episodes GROUP BY phase, iteration, skill
                 ORDER BY min(min(id)) OVER (PARTITION BY phase), iteration, skill",
            )?;
            statement.query_map([], cell)?.collect()
        };
        self.wrap(read())
    }

    /// Number of recorded episodes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.wrap(self.connection.query_row("SELECT count(*) FROM episodes", [], |row| row.get(0)))?;
        Ok(count.unsigned_abs())
    }

    /// The name of the run.
    pub fn name(&self) -> String {
        layout::run_name(&self.run)
    }

    /// The directory of the run.
    pub fn dir(&self) -> &Path {
        &self.run
    }

    /// The command that made the run.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub fn command(&self) -> Result<String, StoreError> {
        self.meta("command")
    }

    /// Seconds since 1970 when the run was created.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub fn started(&self) -> Result<u64, StoreError> {
        let text = self.meta("started")?;
        text.parse().map_err(|_| self.damaged(format!("`{text}` is no time")))
    }

    /// The settings that the run was started with, as TOML.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn config(&self) -> Result<String, StoreError> {
        let path = layout::config(&self.run);
        std::fs::read_to_string(&path).map_err(|error| StoreError::io(&path, error))
    }

    /// What the run says about itself once it is complete.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Newer`].
    pub fn manifest(&self) -> Result<Option<Manifest>, StoreError> {
        Manifest::read(&self.run)
    }

    /// The numbers over time.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn metrics(&self) -> Result<Vec<MetricsRow>, StoreError> {
        metrics::read(&self.run)
    }

    fn row_by_id(&self, id: i64) -> Result<Option<EpisodeRow>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM episodes WHERE id = ?");
        self.wrap(self.connection.query_row(&query, [id], episode_row).optional())
    }

    fn row_by_prefix(&self, prefix: &str) -> Result<Option<EpisodeRow>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS}, phase || '/' || iteration || '/' || task || '/' || sample AS key FROM episodes
             WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key <> ?1, key LIMIT 4"
        );
        let read = || -> rusqlite::Result<Vec<EpisodeRow>> {
            self.connection.prepare(&query)?.query_map([prefix], episode_row)?.collect()
        };
        let mut rows = self.wrap(read())?;
        let exact = rows.first().is_some_and(|row| row.key.to_string() == prefix);
        if rows.len() > 1 && !exact {
            let candidates = rows.iter().map(|row| format!("`{}`", row.key)).collect();
            return Err(StoreError::Ambiguous { given: prefix.to_owned(), candidates });
        }
        Ok(rows.drain(..).next())
    }

    fn meta(&self, name: &str) -> Result<String, StoreError> {
        let value = self.connection.query_row("SELECT value FROM meta WHERE name = ?", [name], |row| row.get(0));
        self.wrap(value.optional())?.ok_or_else(|| self.damaged(format!("it has no `{name}`")))
    }

    fn unpack(&self, what: &str, body: &[u8]) -> Result<Episode, StoreError> {
        body::unpack(body).map_err(|reason| self.damaged(format!("episode `{what}`: {reason}")))
    }

    fn damaged(&self, reason: String) -> StoreError {
        StoreError::Damaged { path: layout::database(&self.run), reason }
    }

    fn wrap<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::database(&layout::database(&self.run), error))
    }
}

fn blob(row: &Row<'_>) -> rusqlite::Result<Vec<u8>> {
    row.get(0)
}

fn episode_row(row: &Row<'_>) -> rusqlite::Result<EpisodeRow> {
    let key = EpisodeKey { phase: row.get(1)?, iteration: row.get(2)?, task: row.get(3)?, sample: row.get(4)? };
    Ok(EpisodeRow {
        id: row.get(0)?,
        key,
        skill: row.get(5)?,
        policy: row.get(6)?,
        reward: row.get(7)?,
        code: row.get(8)?,
        invalid: row.get(9)?,
        turns: row.get(10)?,
        sampled_tokens: row.get::<_, i64>(11)?.unsigned_abs(),
        acting: Duration::from_millis(row.get::<_, i64>(12)?.unsigned_abs()),
        grading: Duration::from_millis(row.get::<_, i64>(13)?.unsigned_abs()),
    })
}

fn cell(row: &Row<'_>) -> rusqlite::Result<Cell> {
    Ok(Cell {
        phase: row.get(0)?,
        iteration: row.get(1)?,
        skill: row.get(2)?,
        episodes: row.get::<_, i64>(3)?.unsigned_abs(),
        invalid: row.get::<_, i64>(4)?.unsigned_abs(),
        reward: row.get(5)?,
        turns: row.get(6)?,
        sampled_tokens: row.get(7)?,
        acting_seconds: row.get(8)?,
        grading_seconds: row.get(9)?,
    })
}
