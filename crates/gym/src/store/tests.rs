//! The store from the outside: what goes in comes out, once, whatever happens between.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::episode::{End, Episode, Grade, InvalidCause, Score, Submission, TokenTrace};

pub(super) const START: RunStart<'_> = RunStart { command: "train", config: "[run]\nseed = 0\n" };

pub(super) fn episode(task: &str, sample: u32, reward: f64) -> Episode {
    Episode {
        task: task.to_owned(),
        skill: "edit".to_owned(),
        sample,
        policy: "scripted".to_owned(),
        prompt: "Do it.".to_owned(),
        steps: Vec::new(),
        end: Some(End::Submitted),
        submission: Submission::default(),
        grade: Grade::Scored(Score { reward, code: "ok".to_owned(), detail: String::new(), table: Vec::new() }),
        tokens: None,
        program: None,
        acting: Duration::from_millis(1500),
        grading: Duration::from_millis(500),
    }
}

fn invalid(task: &str, sample: u32) -> Episode {
    Episode { grade: Grade::Invalid(InvalidCause::Model("no answer".to_owned())), ..episode(task, sample, 0.0) }
}

#[test]
fn an_episode_comes_back_as_it_was_recorded() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    let tokens = TokenTrace {
        ids: vec![1, 2, 3],
        sampled: vec![false, true, true],
        logprobs: vec![0.0, -0.1, -2.345_678_9],
        weight_version: 7,
        takeovers: vec![(2, 8)],
    };
    let original = Episode { tokens: Some(tokens), ..episode("a1", 2, 1.0) };
    recorder.record("train", 3, &original).unwrap();
    let (row, back) = recorder.reader().unwrap().episode("train/3/a1/2").unwrap();
    assert_eq!(back, original);
    assert_eq!((row.id, row.sampled_tokens, row.reward), (1, 2, Some(1.0)));
}

#[test]
fn recording_an_episode_again_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    assert!(recorder.record("train", 0, &episode("a1", 0, 1.0)).unwrap());
    assert!(!recorder.record("train", 0, &episode("a1", 0, 0.0)).unwrap());
    assert!(recorder.record("train", 1, &episode("a1", 0, 0.0)).unwrap());
    let reader = recorder.reader().unwrap();
    assert_eq!(reader.count().unwrap(), 2);
    assert_eq!(reader.episode("1").unwrap().1.reward(), Some(1.0));
}

#[test]
fn completed_names_what_a_resumed_run_need_not_do() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    recorder.record_all("train", 4, &[episode("b", 1, 0.0), episode("a", 0, 1.0), invalid("a", 1)]).unwrap();
    let reader = recorder.reader().unwrap();
    let expected = [("a".to_owned(), 0), ("a".to_owned(), 1), ("b".to_owned(), 1)];
    assert_eq!(reader.completed("train", 4).unwrap(), expected.into());
    assert!(reader.completed("train", 5).unwrap().is_empty());
    let samples: Vec<_> = reader.episodes("train", 4).unwrap().into_iter().map(|it| (it.task, it.sample)).collect();
    assert_eq!(samples, [("a".to_owned(), 0), ("a".to_owned(), 1), ("b".to_owned(), 1)]);
}

#[test]
fn overview_keeps_invalid_episodes_out_of_the_mean() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    recorder.record("train", 0, &episode("a", 0, 1.0)).unwrap();
    recorder.record("train", 0, &episode("a", 1, 0.0)).unwrap();
    recorder.record("train", 0, &invalid("a", 2)).unwrap();
    recorder.record("eval-after", 0, &invalid("a", 0)).unwrap();
    let cells = recorder.reader().unwrap().overview().unwrap();
    let phases: Vec<_> = cells.iter().map(|cell| cell.phase.as_str()).collect();
    assert_eq!(phases, ["train", "eval-after"]);
    assert_eq!((cells[0].episodes, cells[0].invalid, cells[0].reward), (3, 1, Some(0.5)));
    assert_eq!((cells[1].episodes, cells[1].invalid, cells[1].reward), (1, 1, None));
}

#[test]
fn an_episode_is_found_by_the_beginning_of_its_key() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    recorder
        .record_all("train", 0, &[episode("abc", 1, 1.0), episode("abd", 1, 1.0), episode("abd", 10, 0.0)])
        .unwrap();
    let reader = recorder.reader().unwrap();
    assert_eq!(reader.episode("train/0/abc").unwrap().0.key.task, "abc");
    assert_eq!(reader.episode("train/0/abd/1").unwrap().0.key.sample, 1);
    assert!(matches!(reader.episode("train/0/ab"), Err(StoreError::Ambiguous { .. })));
    assert!(matches!(reader.episode("train/1"), Err(StoreError::NoEpisode { .. })));
    assert!(matches!(reader.episode("99"), Err(StoreError::NoEpisode { .. })));
}

#[test]
fn rows_are_filtered() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    recorder.record_all("train", 0, &[episode("a", 0, 1.0), episode("b", 0, 1.0)]).unwrap();
    recorder.record_all("train", 1, &[episode("a", 0, 1.0)]).unwrap();
    let reader = recorder.reader().unwrap();
    let count = |filter| reader.rows(&filter).unwrap().len();
    assert_eq!(count(EpisodeFilter::default()), 3);
    assert_eq!(count(EpisodeFilter { iteration: Some(0), ..EpisodeFilter::default() }), 2);
    assert_eq!(count(EpisodeFilter { task: Some("a".to_owned()), ..EpisodeFilter::default() }), 2);
    assert_eq!(count(EpisodeFilter { phase: Some("eval".to_owned()), ..EpisodeFilter::default() }), 0);
    assert_eq!(count(EpisodeFilter { limit: Some(1), ..EpisodeFilter::default() }), 1);
}

#[test]
fn a_second_recorder_is_refused_and_names_the_first() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    let refused = Recorder::open(recorder.dir()).err().unwrap();
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    let run = recorder.dir().to_path_buf();
    drop(recorder);
    assert!(Recorder::open(&run).is_ok());
}

#[test]
fn only_an_interrupted_run_with_the_same_settings_is_resumed() {
    let root = tempfile::tempdir().unwrap();
    let (first, resumed) = Recorder::resume_or_create(root.path(), START).unwrap();
    assert!(!resumed);
    let name = first.name();
    let (second, resumed) = Recorder::resume_or_create(root.path(), START).unwrap();
    assert!(!resumed, "the first is still running");
    second.finish(serde_json::Value::Null).unwrap();
    drop(first);
    let other = RunStart { config: "[run]\nseed = 1\n", ..START };
    assert!(!Recorder::resume_or_create(root.path(), other).unwrap().1);
    let (again, resumed) = Recorder::resume_or_create(root.path(), START).unwrap();
    assert!(resumed);
    assert_eq!(again.name(), name);
}

#[test]
fn a_run_is_running_then_interrupted_then_complete() {
    let root = tempfile::tempdir().unwrap();
    let state = || list_runs(root.path()).unwrap().remove(0).state;
    let recorder = Recorder::create(root.path(), START).unwrap();
    assert_eq!(state(), RunState::Running);
    let run = recorder.dir().to_path_buf();
    drop(recorder);
    assert_eq!(state(), RunState::Interrupted);
    let recorder = Recorder::open(&run).unwrap();
    recorder.record("train", 0, &episode("a", 0, 1.0)).unwrap();
    let manifest = recorder.finish(serde_json::json!({"average": 0.5})).unwrap();
    assert_eq!((manifest.command.as_str(), manifest.episodes), ("train", 1));
    assert_eq!(state(), RunState::Complete);
    assert!(matches!(Recorder::open(&run), Err(StoreError::Complete { .. })));
    let reader = Reader::open(&run).unwrap();
    assert_eq!(reader.manifest().unwrap(), Some(manifest));
    assert_eq!(reader.count().unwrap(), 1);
}

#[test]
fn runs_are_found_by_name_beginning_path_and_last() {
    let root = tempfile::tempdir().unwrap();
    let first = Recorder::create(root.path(), START).unwrap();
    let second = Recorder::create(root.path(), RunStart { command: "eval", ..START }).unwrap();
    let found = |given: &str| find_run(root.path(), given).map(|dir| layout::run_name(&dir));
    assert_eq!(found("tr").unwrap(), first.name());
    assert_eq!(found(&second.name()).unwrap(), second.name());
    assert_eq!(found(first.dir().to_str().unwrap()).unwrap(), first.name());
    assert!(found("last").is_ok());
    assert!(matches!(found("nothing"), Err(StoreError::NoRun { .. })));
    let third = Recorder::create(root.path(), START).unwrap();
    assert_ne!(third.name(), first.name());
    assert!(matches!(found("train"), Err(StoreError::Ambiguous { .. })));
}

#[test]
fn a_newer_database_is_refused_and_a_broken_one_is_listed_as_damaged() {
    let root = tempfile::tempdir().unwrap();
    let run = Recorder::create(root.path(), START).unwrap().dir().to_path_buf();
    let database = layout::database(&run);
    rusqlite::Connection::open(&database).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Reader::open(&run), Err(StoreError::Newer { found: 99, supported: 3, .. })));
    assert!(matches!(Recorder::open(&run), Err(StoreError::Newer { .. })));
    for file in std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path()) {
        if layout::run_name(&file).starts_with("run.db") {
            std::fs::write(&file, "no database at all, but long enough to be read as a header of one").unwrap();
        }
    }
    assert!(matches!(list_runs(root.path()).unwrap()[0].state, RunState::Damaged(_)));
}

#[test]
fn numbers_that_json_cannot_keep_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    let refused = recorder.record("train", 0, &episode("a", 0, f64::NAN)).unwrap_err();
    assert!(matches!(refused, StoreError::Unstorable { .. }), "{refused}");
    assert_eq!(recorder.reader().unwrap().count().unwrap(), 0);
}

#[test]
fn metrics_are_rewound_and_half_written_lines_are_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(root.path(), START).unwrap();
    let run = recorder.dir().to_path_buf();
    for step in 0..3 {
        recorder.metrics(step, &[("loss", step as f64), ("broken", f64::NAN)]).unwrap();
        recorder.metrics(step, &[("held_out", step as f64)]).unwrap();
    }
    drop(recorder);
    let path = layout::metrics(&run);
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"step\": 3, \"lo").unwrap();
    let recorder = Recorder::open(&run).unwrap();
    recorder.rewind_metrics(Some(1)).unwrap();
    recorder.metrics(2, &[("loss", 20.0)]).unwrap();
    let rows = recorder.reader().unwrap().metrics().unwrap();
    let losses: Vec<_> = rows.iter().map(|row| (row.step, row.values.get("loss").copied())).collect();
    assert_eq!(
        losses,
        [(0, Some(0.0)), (0, None), (1, Some(1.0)), (2, Some(20.0))],
        "what was measured after step 1 comes again"
    );
    assert!(!rows[0].values.contains_key("broken"));
}

/// A file system of one megabyte, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "basis-test"]).arg(dir.path());
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let recorder = Recorder::create(disk.path(), START).unwrap();
    let run = recorder.dir().to_path_buf();
    // Text that does not compress.
    let noise = |sample: u32| {
        let words = (0..200).map(|index| blake3::hash(format!("{sample} {index}").as_bytes()).to_hex().to_string());
        Episode { prompt: words.collect(), ..episode("a", sample, 1.0) }
    };
    let mut acknowledged = 0;
    let refused = loop {
        match recorder.record("train", 0, &noise(acknowledged)) {
            Ok(new) => assert!(new),
            Err(error) => break error,
        }
        acknowledged += 1;
    };
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused}");
    assert!(acknowledged > 20);
    let line = recorder.metrics(0, &[("loss", 1.0)]);
    assert!(line.is_ok() || matches!(line, Err(StoreError::DiskFull { .. })));
    assert_eq!(recorder.reader().unwrap().count().unwrap(), u64::from(acknowledged));
    drop(recorder);

    let more = Command::new("mount").args(["-o", "remount,size=8m"]).arg(disk.path()).status().unwrap();
    assert!(more.success());
    let recorder = Recorder::open(&run).unwrap();
    assert!(recorder.record("train", 0, &noise(acknowledged)).unwrap());
    assert_eq!(recorder.reader().unwrap().episodes("train", 0).unwrap().len() as u32, acknowledged + 1);
    recorder.metrics(1, &[("loss", 1.0)]).unwrap();
    recorder.reader().unwrap().metrics().unwrap();
}
