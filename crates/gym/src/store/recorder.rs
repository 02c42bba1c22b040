//! Writes a run. There is one recorder per run; its lock keeps every other process out.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::metrics::Metrics;
use super::runs::{self, RunState};
use super::{EpisodeKey, Manifest, Reader, StoreError, body, layout, schema};
use crate::episode::{Episode, Grade, InvalidCause};

/// What a run is told about itself when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunStart<'a> {
    /// The command that makes the run, for example `train`; the first part of its name.
    pub command: &'a str,
    /// The effective settings. A run is only resumed with the same ones.
    pub config: &'a str,
}

/// Writes one run; may be shared between threads. Dropping it without [`Recorder::finish`] leaves an interrupted run.
pub struct Recorder {
    run: PathBuf,
    connection: Mutex<Connection>,
    metrics: Mutex<Metrics>,
    /// Released by the kernel when the process ends, however it ends.
    _lock: File,
}

impl Recorder {
    /// Goes on with the newest interrupted run of the same command and settings, or creates one. Says whether it resumed.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn resume_or_create(root: &Path, start: RunStart<'_>) -> Result<(Self, bool), StoreError> {
        for entry in runs::list_runs(root)?.iter().rev() {
            let same_config =
                || Reader::open(&entry.dir).and_then(|reader| reader.config()).is_ok_and(|it| it == start.config);
            if entry.state != RunState::Interrupted || entry.command != start.command || !same_config() {
                continue;
            }
            match Self::open(&entry.dir) {
                // Somebody else was quicker.
                Err(StoreError::Running { .. } | StoreError::Complete { .. }) => {}
                opened => return opened.map(|recorder| (recorder, true)),
            }
        }
        Self::create(root, start).map(|recorder| (recorder, false))
    }

    /// Creates a run below `root`. The run appears under its name only when it is complete enough to be read.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn create(root: &Path, start: RunStart<'_>) -> Result<Self, StoreError> {
        let partial = root.join(format!(".new-{}-{}", std::process::id(), layout::serial()));
        let outcome = lay_out(&partial, start).and_then(|()| appear(&partial, root, start.command));
        if outcome.is_err() {
            let _ = fs::remove_dir_all(&partial);
        }
        Self::open(&outcome?)
    }

    /// Opens an interrupted run to go on with it.
    ///
    /// # Errors
    /// [`StoreError::Running`] when another process writes it, [`StoreError::Complete`], [`StoreError::Damaged`],
    /// [`StoreError::Newer`], [`StoreError::DiskFull`].
    pub fn open(run: &Path) -> Result<Self, StoreError> {
        let lock = acquire(run)?;
        if Manifest::read(run)?.is_some() {
            return Err(StoreError::Complete { run: layout::run_name(run) });
        }
        let connection = Mutex::new(schema::open_writer(&layout::database(run))?);
        let metrics = Mutex::new(Metrics::open(run)?);
        Ok(Self { run: run.to_path_buf(), connection, metrics, _lock: lock })
    }

    /// Records one episode and returns whether it was new. When this returns, no kill of the process loses the episode.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Unstorable`], [`StoreError::Database`]. The run stays usable.
    pub fn record(&self, phase: &str, iteration: u32, episode: &Episode) -> Result<bool, StoreError> {
        self.record_all(phase, iteration, std::slice::from_ref(episode)).map(|new| new == 1)
    }

    /// Records several episodes at once, all or none, and returns how many were new.
    ///
    /// # Errors
    /// As [`Recorder::record`].
    pub fn record_all(&self, phase: &str, iteration: u32, episodes: &[Episode]) -> Result<usize, StoreError> {
        let key = |episode: &Episode| EpisodeKey {
            phase: phase.to_owned(),
            iteration,
            task: episode.task.clone(),
            sample: episode.sample,
        };
        let pack = |episode| {
            body::pack(episode).map_err(|reason| StoreError::Unstorable { key: key(episode).to_string(), reason })
        };
        let bodies = episodes.iter().map(pack).collect::<Result<Vec<_>, _>>()?;
        let insert_all = || -> rusqlite::Result<usize> {
            let mut connection = lock(&self.connection);
            let transaction = connection.transaction()?;
            let mut new = 0;
            for (episode, body) in episodes.iter().zip(&bodies) {
                new += insert(&transaction, &key(episode), episode, body)?;
            }
            transaction.commit().map(|()| new)
        };
        insert_all().map_err(|error| StoreError::database(&layout::database(&self.run), error))
    }

    /// Appends numbers to `metrics.jsonl` and to the TensorBoard events. Values that are not finite are left out.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn metrics(&self, step: u64, values: &[(&str, f64)]) -> Result<(), StoreError> {
        lock(&self.metrics).append(step, values)
    }

    /// Forgets the numbers of steps after `last` (all when `None`), and what was measured after the step `last` itself: a resumed run
    /// calls this with the step of its checkpoint.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn rewind_metrics(&self, last: Option<u64>) -> Result<(), StoreError> {
        lock(&self.metrics).rewind(last)
    }

    /// Reads the run while it is being written.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.run)
    }

    /// The directory of the run.
    pub fn dir(&self) -> &Path {
        &self.run
    }

    /// The name of the run.
    pub fn name(&self) -> String {
        layout::run_name(&self.run)
    }

    /// Where the trainer puts its checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        layout::checkpoints(&self.run)
    }

    /// Makes the run complete: one plain database file, then the manifest.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`]. The run is then interrupted, and can be resumed.
    pub fn finish(self, summary: serde_json::Value) -> Result<Manifest, StoreError> {
        let reader = self.reader()?;
        let manifest = Manifest::new(reader.command()?, reader.started()?, reader.count()?, summary);
        drop(reader);
        // Fails while somebody reads, which is harmless: the database then stays in WAL mode.
        let _ = lock(&self.connection).pragma_update(None, "journal_mode", "DELETE");
        manifest.write(&self.run)?;
        Ok(manifest)
    }
}

/// Fills the directory of a new run.
fn lay_out(dir: &Path, start: RunStart<'_>) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(|error| StoreError::io(dir, error))?;
    for (path, bytes) in [(layout::config(dir), start.config), (layout::lock(dir), "")] {
        fs::write(&path, bytes).map_err(|error| StoreError::io(&path, error))?;
    }
    let checkpoints = layout::checkpoints(dir);
    fs::create_dir(&checkpoints).map_err(|error| StoreError::io(&checkpoints, error))?;
    let database = layout::database(dir);
    let connection = schema::open_writer(&database)?;
    let started = layout::now().to_string();
    for (name, value) in [("command", start.command), ("version", env!("CARGO_PKG_VERSION")), ("started", &started)] {
        connection
            .execute("INSERT INTO meta VALUES (?, ?)", params![name, value])
            .map_err(|error| StoreError::database(&database, error))?;
    }
    connection.close().map_err(|(_, error)| StoreError::database(&database, error))
}

/// Gives a new run its name, the first one that is free.
fn appear(partial: &Path, root: &Path, command: &str) -> Result<PathBuf, StoreError> {
    let name = layout::new_name(command, layout::now());
    let names = std::iter::once(name.clone()).chain((2..).map(|serial| format!("{name}-{serial}")));
    for name in names {
        let target = root.join(name);
        match fs::rename(partial, &target) {
            Ok(()) => return Ok(target),
            Err(_) if target.exists() => {}
            Err(error) => return Err(StoreError::io(&target, error)),
        }
    }
    unreachable!("the list of names has no end")
}

/// Takes the lock of a run. A listing holds it for a moment too, so one refusal is not the last word.
pub(super) fn acquire(run: &Path) -> Result<File, StoreError> {
    let path = layout::lock(run);
    let wrap = |error| StoreError::io(&path, error);
    let file = File::options().read(true).write(true).open(&path).map_err(wrap)?;
    for _ in 0..40 {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(wrap)?;
                fs::write(&path, std::process::id().to_string()).map_err(wrap)?;
                return Ok(file);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(25)),
            Err(TryLockError::Error(error)) => return Err(wrap(error)),
        }
    }
    let pid = fs::read_to_string(&path).ok().filter(|pid| !pid.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    Err(StoreError::Running { run: layout::run_name(run), pid })
}

fn insert(connection: &Connection, key: &EpisodeKey, episode: &Episode, body: &[u8]) -> rusqlite::Result<usize> {
    let (code, invalid) = match &episode.grade {
        Grade::Scored(score) => (Some(score.code.as_str()), None),
        Grade::Invalid(cause) => (None, Some(boundary(cause))),
    };
    let sampled = episode
        .sequences()
        .flat_map(|sequence| sequence.counted().collect::<Vec<_>>())
        .filter(|counted| *counted)
        .count();
    let mut statement = connection.prepare_cached(
        "INSERT INTO episodes (phase, iteration, task, sample, skill, policy, reward, code, invalid, turns, sampled_tokens,
                               acting_ms, grading_ms, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (phase, iteration, task, sample) DO NOTHING",
    )?;
    statement.execute(params![
        key.phase,
        key.iteration,
        key.task,
        key.sample,
        episode.skill,
        episode.policy,
        episode.reward(),
        code,
        invalid,
        episode.steps.len() as i64,
        sampled as i64,
        episode.acting.as_millis() as i64,
        episode.grading.as_millis() as i64,
        body,
    ])
}

pub(super) fn boundary(cause: &InvalidCause) -> &'static str {
    match cause {
        InvalidCause::Sandbox(_) => "sandbox",
        InvalidCause::Model(_) => "model",
        InvalidCause::Grader(_) => "grader",
        InvalidCause::Task(_) => "task",
    }
}

/// A thread that panicked while it held the lock left nothing half-done: transactions roll back by themselves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
