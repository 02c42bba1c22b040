//! Two skills that conflict by construction: the prompts hardly differ and want opposite words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use basis_gym::store::Reader;
use basis_gym::task::Task;
use basis_train::batch::BatchConfig;
use basis_train::run::{Effect, Interference, TrainConfig};

use crate::world::{config, create, renderer, run_on, task, taught_engine};

/// Many tasks that want `yes`, and two that want `no`.
fn opposed() -> Vec<Arc<Task>> {
    let many = (0..12).map(|n| task("edit", &format!("fix {n}"), "yes", ""));
    let few = (0..2).map(|n| task("repro", &format!("fix {}", n + 50), "no", ""));
    many.chain(few).map(Arc::new).collect()
}

fn train(dir: &Path, config: &TrainConfig) {
    let renderer = renderer();
    let mut engine = taught_engine(renderer.as_ref());
    let tasks = opposed();
    let never = AtomicBool::new(false);
    run_on(dir, (&tasks, &[]), config, (&mut engine, None), &renderer, &never, &mut |_| {}).expect("trains");
}

fn rows(dir: &Path) -> Vec<BTreeMap<String, f64>> {
    Reader::open(dir).expect("opens").metrics().expect("reads").into_iter().map(|row| row.values).collect()
}

#[test]
fn the_matrix_shows_that_a_step_on_one_takes_from_the_other() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = create(root.path());
    let config = TrainConfig {
        iterations: 1,
        group: 16,
        tasks_per_skill: 6,
        learning_rate: 1e-3,
        interference_every: 1,
        ..config()
    };
    train(&dir, &config);
    let (matrix, measured) = Interference::mean(rows(&dir).iter());
    assert_eq!(measured, 1);
    let effect = |from: &str, to: &str| -> Effect { matrix.effects[from][to] };
    assert!(effect("edit", "edit").change > 0.0 && effect("repro", "repro").change > 0.0, "{matrix:?}");
    assert!(effect("edit", "repro").change < 0.0 && effect("repro", "edit").change < 0.0, "{matrix:?}");
}

#[test]
fn measuring_the_matrix_changes_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let successes = |name: &str, interference_every| {
        let dir = create(&root.path().join(name));
        train(&dir, &TrainConfig { iterations: 3, group: 8, interference_every, ..config() });
        rows(&dir).iter().map(|row| (row["success/mean"], row["train/loss"])).collect::<Vec<_>>()
    };
    assert_eq!(successes("with", 1), successes("without", 0));
}

#[test]
fn quotas_keep_the_smaller_skill_alive() {
    let root = tempfile::tempdir().expect("a directory");
    let last = |name: &str, batch: BatchConfig| {
        let dir = create(&root.path().join(name));
        train(&dir, &TrainConfig { iterations: 10, tasks_per_skill: 12, batch, ..config() });
        let rows = rows(&dir);
        let tail = &rows[rows.len() - 3..];
        ["success/edit", "success/repro"].map(|skill| tail.iter().map(|row| row[skill]).sum::<f64>() / 3.0)
    };
    let [_, swamped] = last("off", BatchConfig { balance: false, ..BatchConfig::default() });
    let [edit, kept] = last("on", BatchConfig { max_boost: 12.0, ..BatchConfig::default() });
    println!("repro: {swamped:.2} without quotas, {kept:.2} with them; edit {edit:.2} with them");
    assert!(swamped < 0.2, "six times as many tasks drown it: {swamped}");
    assert!(kept > swamped + 0.2, "{kept} {swamped}");
}
