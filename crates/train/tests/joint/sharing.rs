//! Episodes that share what they did alike of their sandboxes sample and teach what they would without.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use basis_gym::store::Reader;
use basis_train::run::{TrainConfig, TrainReport};

use crate::resuming::recorded;
use crate::world::{config, create, renderer, run, taught_engine};

fn train(dir: &Path, share_prefixes: bool) -> TrainReport {
    let config = TrainConfig { iterations: 2, group: 4, share_prefixes, ..config() };
    let renderer = renderer();
    let mut engine = taught_engine(renderer.as_ref());
    run(dir, &config, &mut engine, &renderer, &AtomicBool::new(false), &mut |_| {}).expect("trains")
}

#[test]
fn sharing_changes_nothing_that_is_sampled_or_learned_and_is_counted() {
    let root = tempfile::tempdir().expect("a directory");
    let (one, other) = (create(&root.path().join("one")), create(&root.path().join("other")));
    let (alone, together) = (train(&one, false), train(&other, true));
    assert!(recorded(&one) == recorded(&other));
    let weights = |report: &TrainReport| {
        let dir = report.checkpoint.clone().expect("there is one");
        std::fs::read(dir.join("model.safetensors")).expect("reads")
    };
    assert!(weights(&alone) == weights(&together));
    let value = |name: &str| -> Vec<f64> {
        let rows = Reader::open(&other).expect("opens").metrics().expect("reads");
        rows.iter().filter_map(|row| row.values.get(name).copied()).collect()
    };
    // Two skills, four tasks, four samples; a group that acts alike needs one sandbox.
    assert_eq!(value("sharing/wanted"), [32.0; 2]);
    assert!(value("sharing/made").iter().all(|made| *made <= 16.0), "{:?}", value("sharing/made"));
    assert_eq!(value("sharing/asked").len(), 2);
}
