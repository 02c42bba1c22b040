//! Whatever is killed at any moment, nothing recorded is lost and nothing is counted twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use basis_gym::episode::TokenTrace;
use basis_gym::store::{EpisodeFilter, Reader};
use basis_train::run::{Event, TrainConfig, TrainReport};

use crate::world::{config, create, renderer, run, taught_engine};

const RUN: &str = "BASIS_TEST_TRAINED_RUN";
const DIES_AT: &str = "BASIS_TEST_DIES_AT";

fn short() -> TrainConfig {
    TrainConfig { iterations: 3, group: 4, ..config() }
}

/// Goes on with the run and calls `listen` with the number of each event.
fn go_on(dir: &Path, stop: &AtomicBool, listen: &mut dyn FnMut(u32)) -> TrainReport {
    let renderer = renderer();
    let mut engine = taught_engine(renderer.as_ref());
    let mut events = 0;
    let mut count = |_: Event<'_>| {
        events += 1;
        listen(events);
    };
    run(dir, &short(), &mut engine, &renderer, stop, &mut count).expect("trains")
}

/// Every recorded episode by its name, with what was sampled in it.
pub(crate) fn recorded(dir: &Path) -> BTreeMap<String, TokenTrace> {
    let reader = Reader::open(dir).expect("opens");
    let rows = reader.rows(&EpisodeFilter::default()).expect("reads");
    let names: Vec<String> = rows.iter().map(|row| row.key.to_string()).collect();
    let traces =
        rows.iter().map(|row| reader.episode(&row.id.to_string()).expect("reads").1.tokens.expect("has tokens"));
    let recorded: BTreeMap<String, TokenTrace> = names.iter().cloned().zip(traces).collect();
    assert_eq!(recorded.len(), names.len(), "an episode is there twice");
    recorded
}

fn undisturbed() -> BTreeMap<String, TokenTrace> {
    let root = tempfile::tempdir().expect("a directory");
    let dir = create(root.path());
    assert!(!go_on(&dir, &AtomicBool::new(false), &mut |_| {}).stopped);
    recorded(&dir)
}

#[test]
fn a_run_that_was_stopped_ends_with_the_episodes_of_one_that_was_not() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = create(root.path());
    for at in [5, 60, 90, 20] {
        let stop = AtomicBool::new(false);
        go_on(&dir, &stop, &mut |event| {
            if event == at {
                stop.store(true, Ordering::Relaxed);
            }
        });
    }
    let report = go_on(&dir, &AtomicBool::new(false), &mut |_| {});
    assert_eq!((report.iterations, report.stopped), (3, false));
    assert!(report.comparison.is_some());
    assert!(recorded(&dir) == undisturbed());
    let steps: Vec<u64> =
        Reader::open(&dir).expect("opens").metrics().expect("reads").iter().map(|row| row.step).collect();
    assert_eq!(steps, [0, 1, 2, 3, 3], "iterations, and the probes before and after them");
}

#[test]
fn a_run_that_was_killed_ends_with_the_episodes_of_one_that_was_not() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = create(root.path());
    for dies_at in [3, 45, 77, 38] {
        let status = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "resuming::child_that_trains_until_it_dies", "--ignored"])
            .env(RUN, &dir)
            .env(DIES_AT, dies_at.to_string())
            .output()
            .expect("starts")
            .status;
        assert!(status.code().is_none(), "died by a signal: {status}");
    }
    assert!(!go_on(&dir, &AtomicBool::new(false), &mut |_| {}).stopped);
    assert!(recorded(&dir) == undisturbed());
}

/// Not a test by itself: the body of the child process, which aborts, without any clean-up, at a given event.
#[test]
#[ignore = "run by the test that needs it to die"]
fn child_that_trains_until_it_dies() {
    let dir = PathBuf::from(std::env::var(RUN).expect("is set"));
    let dies_at: u32 = std::env::var(DIES_AT).expect("is set").parse().expect("is a number");
    go_on(&dir, &AtomicBool::new(false), &mut |event| {
        if event == dies_at {
            std::process::abort();
        }
    });
}
