//! A process that records is killed at random moments, again and again; what it acknowledged must be there, exactly once.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::episode::{End, Episode, Grade, Score, Submission};

const RUN: &str = "BASIS_TEST_KILLED_RUN";
const PER_ITERATION: u32 = 40;

/// Not a test by itself: the body of the child process, which records until it is killed.
#[test]
#[ignore = "run by the test that kills it"]
fn child_that_records_until_it_is_killed() {
    let run = PathBuf::from(std::env::var(RUN).unwrap());
    let recorder = Recorder::open(&run).unwrap();
    for iteration in 0.. {
        let done = recorder.reader().unwrap().completed("train", iteration).unwrap();
        for sample in (0..PER_ITERATION).filter(|sample| !done.contains(&("task".to_owned(), *sample))) {
            assert!(recorder.record("train", iteration, &episode(sample)).unwrap());
            println!("ack {iteration} {sample} .");
        }
        recorder.metrics(u64::from(iteration), &[("iteration", f64::from(iteration))]).unwrap();
    }
}

#[test]
fn every_acknowledged_episode_survives_twenty_kills_exactly_once() {
    let root = tempfile::tempdir().unwrap();
    let run = Recorder::create(root.path(), RunStart { command: "train", config: "" }).unwrap().dir().to_path_buf();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..20u64 {
        for name in record_and_kill(&run, Duration::from_micros(kill * kill * 97 % 20_000)) {
            assert!(acknowledged.insert(name), "{name:?} was recorded twice");
        }
        let found = recorded(&run);
        assert!(acknowledged.is_subset(&found), "lost: {:?}", acknowledged.difference(&found));
        // At most the one that was being acknowledged when the kill came is there without our knowing.
        assert!(found.len() <= acknowledged.len() + 1);
        acknowledged = found;
    }
    Recorder::open(&run).unwrap().finish(serde_json::Value::Null).unwrap();
    assert_eq!(recorded(&run), acknowledged);
    assert!(Reader::open(&run).unwrap().metrics().is_ok());
}

/// Lets a child record, kills it some time after its first acknowledgement, and returns what it acknowledged.
fn record_and_kill(run: &Path, after: Duration) -> Vec<(u32, u32)> {
    let mut child = start(run);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let first = lines.find_map(|line| acknowledgement(&line)).expect("the child records");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    std::iter::once(first).chain(lines.filter_map(|line| acknowledgement(&line))).collect()
}

fn start(run: &Path) -> Child {
    let name = "store::kill_tests::child_that_records_until_it_is_killed";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(RUN, run)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The full stop shows that the kill did not cut the line short.
fn acknowledgement(line: &str) -> Option<(u32, u32)> {
    let (iteration, sample) = line.split_once("ack ")?.1.strip_suffix(" .")?.split_once(' ')?;
    Some((iteration.parse().ok()?, sample.parse().ok()?))
}

fn recorded(run: &Path) -> BTreeSet<(u32, u32)> {
    let rows = Reader::open(run).unwrap().rows(&EpisodeFilter::default()).unwrap();
    let found: BTreeSet<_> = rows.iter().map(|row| (row.key.iteration, row.key.sample)).collect();
    assert_eq!(found.len(), rows.len());
    found
}

fn episode(sample: u32) -> Episode {
    Episode {
        task: "task".to_owned(),
        skill: "edit".to_owned(),
        sample,
        policy: "nothing".to_owned(),
        prompt: "x".repeat(2000),
        steps: Vec::new(),
        end: Some(End::Submitted),
        submission: Submission::default(),
        grade: Grade::Scored(Score { reward: 1.0, code: "ok".to_owned(), detail: String::new(), table: Vec::new() }),
        tokens: None,
        program: None,
        acting: Duration::ZERO,
        grading: Duration::ZERO,
    }
}
