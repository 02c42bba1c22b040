//! Rollouts and training at the same time: what may differ from one after the other, and what may not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use basis_gym::store::Reader;
use basis_train::engines::Engine;
use basis_train::engines::local::Local;
use basis_train::run::{Event, TrainConfig, TrainError, TrainReport};

use crate::resuming::recorded;
use crate::world::{config, create, renderer, run, run_on, tasks, taught_engine};

fn short(max_staleness: u32) -> TrainConfig {
    TrainConfig { iterations: 5, group: 4, max_staleness, ..config() }
}

/// A directory with the weights of the taught engine.
fn taught() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    taught_engine(renderer().as_ref()).save(dir.path(), false).expect("saves");
    dir
}

fn open(dir: &Path) -> Local {
    Local::open(dir, 2).expect("opens")
}

fn overlapping(
    start: &Path,
    dir: &Path,
    config: &TrainConfig,
    stop: &AtomicBool,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<TrainReport, TrainError> {
    let sampler: Box<dyn Engine> = Box::new(open(start));
    let tasks = (&tasks(0, 12)[..], &tasks(12, 8)[..]);
    run_on(dir, tasks, config, (&mut open(start), Some(sampler)), &renderer(), stop, events)
}

fn values(dir: &Path, name: &str) -> Vec<f64> {
    let rows = Reader::open(dir).expect("opens").metrics().expect("reads");
    rows.iter().filter_map(|row| row.values.get(name).copied()).collect()
}

#[test]
fn a_bound_of_zero_gives_the_episodes_and_weights_of_one_after_the_other_bit_for_bit() {
    let (start, root) = (taught(), tempfile::tempdir().expect("a directory"));
    let (one, other) = (create(&root.path().join("one")), create(&root.path().join("other")));
    let never = AtomicBool::new(false);
    let config = TrainConfig { probe: basis_train::run::ProbeConfig { every: 2, ..short(0).probe }, ..short(0) };
    let first = run(&one, &config, &mut open(start.path()), &renderer(), &never, &mut |_| {}).expect("trains");
    let second = overlapping(start.path(), &other, &config, &never, &mut |_| {}).expect("trains");
    assert!(recorded(&one) == recorded(&other));
    let weights = |report: &TrainReport| {
        let dir = report.checkpoint.clone().expect("there is one");
        ["model.safetensors", "optimizer.safetensors"].map(|name| std::fs::read(dir.join(name)).expect("reads"))
    };
    assert!(weights(&first) == weights(&second));
    assert_eq!(first.after, second.after);
}

#[test]
fn no_token_is_older_than_the_bound_and_nothing_is_left_out() {
    let (start, root) = (taught(), tempfile::tempdir().expect("a directory"));
    let dir = create(root.path());
    let config = TrainConfig { importance_cap: 2.0, ..short(2) };
    let mut iterations: BTreeMap<u32, usize> = BTreeMap::new();
    let mut count = |event: Event<'_>| {
        if let Event::Episode { phase: "train", iteration, .. } = event {
            *iterations.entry(iteration).or_default() += 1;
        }
    };
    overlapping(start.path(), &dir, &config, &AtomicBool::new(false), &mut count).expect("trains");
    assert_eq!(iterations, (1..=5).map(|iteration| (iteration, 2 * 4 * 4)).collect());
    let oldest = values(&dir, "staleness/max");
    assert_eq!((oldest.len(), oldest[0]), (5, 0.0));
    // Two optimiser steps in each iteration.
    assert!(oldest.iter().all(|age| *age <= 4.0), "{oldest:?}");
    assert!(oldest.iter().any(|age| *age > 0.0), "nothing overlapped: {oldest:?}");
    assert_eq!(values(&dir, "bias/all"), [0.0; 5]);
    assert!(values(&dir, "importance/distance").iter().any(|distance| *distance > 1e-3), "the weights acted");
}

#[test]
fn an_overlapping_run_that_was_stopped_goes_on_and_has_every_episode_once() {
    let (start, root) = (taught(), tempfile::tempdir().expect("a directory"));
    let dir = create(root.path());
    for at in [50, 110, 20] {
        let (stop, mut events) = (AtomicBool::new(false), 0);
        let mut stop_at = |_: Event<'_>| {
            events += 1;
            if events == at {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let report = overlapping(start.path(), &dir, &short(1), &stop, &mut stop_at).expect("trains");
        assert!(report.stopped);
    }
    let report = overlapping(start.path(), &dir, &short(1), &AtomicBool::new(false), &mut |_| {}).expect("trains");
    assert_eq!((report.iterations, report.stopped), (5, false));
    let (probes, episodes) = (2 * 16 * 3, 5 * 2 * 4 * 4);
    assert_eq!(recorded(&dir).len(), probes + episodes);
}

#[test]
fn staleness_without_a_second_engine_is_refused() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = create(root.path());
    let mut engine = crate::world::engine();
    let error = run(&dir, &short(1), &mut engine, &renderer(), &AtomicBool::new(false), &mut |_| {});
    let text = error.expect_err("is refused").to_string();
    assert_eq!(text, "setting `max_staleness` must be 0 where there is no second engine to sample");
}
