//! Verdicts that were given before: the same submission for the same task is not run again.
//!
//! A verdict is known by everything it may depend on: the task, which is addressed by its content, the grader and its version, the
//! submission, the interpreter or compiler and the limits. What may depend on the moment as well is never kept: failures of infrastructure, and
//! runs that were stopped at a limit. Gates and regrading do not come here; they judge anew.
//!
//! Episodes of one group that succeed mostly hand in the same, and at about the same time: whoever comes while that is judged waits for it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use basis_sandbox::Sandbox;
use rusqlite::{Connection, OptionalExtension, params};

use crate::agent::AgentLimits;
use crate::episode::{Grade, InvalidCause, Score, Submission};
use crate::grade::Workshop;
use crate::rollout::{Provision, World};
use crate::task::Task;

/// Version of the file. Verdicts of another one are thrown away, which is also how those go that a grader gave before it saw through an attack,
/// where honest submissions are judged as before.
const VERSION: u32 = 3;
/// Verdicts that stay from one use to the next, the youngest ones.
const MOST: u32 = 200_000;
/// A verdict that takes less is given again as fast as it is looked up.
const WORTH: Duration = Duration::from_millis(5);
/// Every so many known verdicts one is given anew, to see whether it still is the same.
const DOUBT: u64 = 100;
/// Codes of runs that a busy machine may have stopped.
const OF_THE_MOMENT: [&str; 3] = ["timeout_grade", "oom", "exit_mismatch"];

/// A file of verdicts. Several processes may use it at once.
pub struct Verdicts {
    connection: Mutex<Connection>,
}

/// A file of verdicts that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("verdicts `{path}` cannot be used: {source}; delete the file, or do without by `cache.verdicts=false`")]
pub struct VerdictsError {
    path: PathBuf,
    source: rusqlite::Error,
}

impl Verdicts {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or is no such file.
    pub fn open(path: &Path) -> Result<Self, VerdictsError> {
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // Losing some after a power failure costs a little time.
            connection.pragma_update(None, "synchronous", "OFF")?;
            let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if found != VERSION {
                connection.execute_batch(&format!(
                    "BEGIN IMMEDIATE; DROP TABLE IF EXISTS verdicts;
                    CREATE TABLE verdicts (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, score TEXT NOT NULL);
                    PRAGMA user_version = {VERSION}; COMMIT;"
                ))?;
            }
            let oldest = "DELETE FROM verdicts WHERE number <= (SELECT max(number) FROM verdicts) - ?";
            connection.execute(oldest, params![MOST])?;
            Ok(Self { connection: Mutex::new(connection) })
        };
        open().map_err(|source| VerdictsError { path: path.to_path_buf(), source })
    }

    /// What cannot be read is not known.
    fn find(&self, name: &str) -> Option<Score> {
        let connection = self.connection.lock().expect("no panic while locked");
        let mut statement = connection.prepare_cached("SELECT score FROM verdicts WHERE name = ?").ok()?;
        let score: String = statement.query_row(params![name], |row| row.get(0)).optional().ok()??;
        serde_json::from_str(&score).ok()
    }

    /// What cannot be written is given anew the next time.
    fn keep(&self, name: &str, score: &Score) {
        let score = serde_json::to_string(score).expect("a score has only string keys");
        let connection = self.connection.lock().expect("no panic while locked");
        let _ = connection.execute("INSERT OR REPLACE INTO verdicts (name, score) VALUES (?, ?)", params![name, score]);
    }
}

/// What became of the verdicts that were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub asked: u64,
    /// Those that were known.
    pub known: u64,
    /// Of the known ones, those that were given anew.
    pub doubted: u64,
    /// Of these, the ones that came out otherwise: such graders or tasks are flaky.
    pub changed: u64,
}

/// Names of the verdicts that are being given.
#[derive(Default)]
struct Underway {
    names: Mutex<HashSet<String>>,
    given: Condvar,
}

/// A verdict is being given until this is dropped.
struct Turn<'a> {
    underway: &'a Underway,
    name: &'a str,
}

impl Underway {
    /// The turn to give this verdict; where somebody has it, waits for the end of it and gives none: who finds then that the verdict was not
    /// kept judges beside the others who waited, as if each had come alone.
    fn enter<'a>(&'a self, name: &'a str) -> Option<Turn<'a>> {
        let mut names = self.names();
        if names.insert(name.to_owned()) {
            return Some(Turn { underway: self, name });
        }
        while names.contains(name) {
            names = self.given.wait(names).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.underway.names().remove(self.name);
        self.underway.given.notify_all();
    }
}

/// A workshop that does not run again what it judged before.
pub struct Remembering<'a> {
    workshop: &'a Workshop,
    verdicts: &'a Verdicts,
    underway: Underway,
    /// What verdicts depend on beside task and submission.
    circumstances: String,
    asked: AtomicU64,
    known: AtomicU64,
    doubted: AtomicU64,
    changed: AtomicU64,
}

impl<'a> Remembering<'a> {
    /// Over a file of verdicts.
    pub fn new(workshop: &'a Workshop, verdicts: &'a Verdicts) -> Self {
        let circumstances = format!("{:?} {:?}", workshop.grading_limits, workshop.surroundings);
        let zero = AtomicU64::default;
        let underway = Underway::default();
        Self {
            workshop,
            verdicts,
            underway,
            circumstances,
            asked: zero(),
            known: zero(),
            doubted: zero(),
            changed: zero(),
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            asked: read(&self.asked),
            known: read(&self.known),
            doubted: read(&self.doubted),
            changed: read(&self.changed),
        }
    }

    fn name(&self, task: &Task, submission: &Submission) -> String {
        let version = self.workshop.version(&task.context.tests);
        let parts = (&task.id, &task.grader, &version, &self.circumstances, submission);
        let bytes = serde_json::to_vec(&parts).expect("a submission has only string keys");
        blake3::hash(&bytes).to_hex().to_string()
    }
}

impl World for Remembering<'_> {
    fn sandbox<'s>(&'s self, task: &Task) -> Result<Box<dyn Sandbox + 's>, InvalidCause> {
        World::sandbox(self.workshop, task)
    }

    fn sandbox_for_program(&self, task: &Task, provision: &Provision) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.workshop.sandbox_for_program(task, provision)
    }

    fn grade(&self, task: &Task, submission: &Submission) -> Grade {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let name = self.name(task, submission);
        let _turn = self.underway.enter(&name);
        let known = self.verdicts.find(&name);
        if let Some(score) = &known {
            if !(self.known.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(DOUBT) {
                return Grade::Scored(score.clone());
            }
            self.doubted.fetch_add(1, Ordering::Relaxed);
        }
        let start = Instant::now();
        let grade = self.workshop.grade(task, submission);
        if let Grade::Scored(score) = &grade {
            if known.is_some_and(|known| known.reward != score.reward) {
                self.changed.fetch_add(1, Ordering::Relaxed);
            }
            if start.elapsed() >= WORTH && !OF_THE_MOMENT.contains(&score.code.as_str()) {
                self.verdicts.keep(&name, score);
            }
        }
        grade
    }

    fn limits(&self) -> AgentLimits {
        self.workshop.limits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::FileChange;
    use crate::skills;
    use crate::skills::tests::tasks;

    fn verdicts(directory: &Path) -> Verdicts {
        Verdicts::open(&directory.join("verdicts.db")).expect("the file can be made")
    }

    #[test]
    fn a_verdict_depends_on_the_programs_of_the_language_of_its_task() {
        let (_cache, workshop) = crate::testkit::workshop();
        let of = |project: crate::project::Project| workshop.version(&project.tests);
        assert_eq!(of(crate::testkit::project()), workshop.toolchains.python.version);
        assert!(of(crate::testkit::rust_project()).starts_with("rustc "));
    }

    #[test]
    fn a_submission_that_was_judged_is_not_run_again_and_another_one_is() {
        let (directory, workshop, tasks) = tasks("edit");
        let skill = skills::find("edit").expect("a skill");
        let reference = skill.reference(&workshop, &tasks[0]).expect("a reference");
        let mut other = reference.clone();
        other.files.push(FileChange { path: "pkg/more.py".into(), content: Some("MORE = 1\n".into()) });
        let first = {
            let verdicts = verdicts(directory.path());
            let world = Remembering::new(&workshop, &verdicts);
            let first = world.grade(&tasks[0], &reference);
            assert_eq!(world.grade(&tasks[0], &reference), first);
            assert!(matches!(world.grade(&tasks[0], &other), Grade::Scored(score) if score.reward == 1.0));
            assert_eq!(world.counts(), Counts { asked: 3, known: 1, ..Counts::default() });
            first
        };
        // The next process knows it, too; with other limits it would not.
        let verdicts = verdicts(directory.path());
        let world = Remembering::new(&workshop, &verdicts);
        assert_eq!(world.grade(&tasks[0], &reference), first);
        assert_eq!(world.counts().known, 1);
        let mut limited = workshop.under(workshop.surroundings.clone());
        limited.grading_limits.memory_bytes /= 2;
        let world = Remembering::new(&limited, &verdicts);
        world.grade(&tasks[0], &reference);
        assert_eq!(world.counts().known, 0);
    }

    #[test]
    fn those_who_hand_in_the_same_at_once_wait_for_one_verdict() {
        let (directory, workshop, tasks) = tasks("edit");
        let verdicts = verdicts(directory.path());
        let world = Remembering::new(&workshop, &verdicts);
        let reference = skills::find("edit").expect("a skill").reference(&workshop, &tasks[0]).expect("a reference");
        let (world, reference, task) = (&world, &reference, &tasks[0]);
        let grades: Vec<Grade> = std::thread::scope(|scope| {
            let judging: Vec<_> = (0..6).map(|_| scope.spawn(|| world.grade(task, reference))).collect();
            judging.into_iter().map(|thread| thread.join().expect("does not panic")).collect()
        });
        assert!(matches!(&grades[0], Grade::Scored(score) if score.reward == 1.0));
        assert!(grades.iter().all(|grade| *grade == grades[0]));
        assert_eq!(world.counts(), Counts { asked: 6, known: 5, ..Counts::default() });
    }

    #[test]
    fn now_and_then_a_known_verdict_is_doubted_and_a_wrong_one_replaced() {
        let (directory, workshop, tasks) = tasks("edit");
        let verdicts = verdicts(directory.path());
        let world = Remembering::new(&workshop, &verdicts);
        let nothing = Submission {
            answer: String::new(),
            files: vec![FileChange { path: "pkg/limits.py".into(), content: Some("# gone\n".into()) }],
        };
        let lie = Score { reward: 1.0, code: "ok".into(), detail: String::new(), table: Vec::new() };
        verdicts.keep(&world.name(&tasks[0], &nothing), &lie);
        let rewards: Vec<f64> = (0..=DOUBT)
            .map(|_| match world.grade(&tasks[0], &nothing) {
                Grade::Scored(score) => score.reward,
                Grade::Invalid(cause) => panic!("{cause:?}"),
            })
            .collect();
        assert!(rewards[..DOUBT as usize - 1].iter().all(|reward| *reward == 1.0));
        assert_eq!(rewards[DOUBT as usize - 1..], [0.0, 0.0]);
        assert_eq!(world.counts(), Counts { asked: DOUBT + 1, known: DOUBT + 1, doubted: 1, changed: 1 });
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("verdicts.db");
        std::fs::write(&path, "something else entirely, and long enough to be looked at").expect("a file");
        let error = Verdicts::open(&path).err().expect("it is no database").to_string();
        assert!(error.contains("verdicts.db") && error.contains("delete the file"), "{error}");
    }
}
