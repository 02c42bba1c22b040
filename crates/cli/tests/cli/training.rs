//! The main job on its smallest real input, killed and taken up again.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use basis_gym::store::{EpisodeFilter, Reader, list_runs};

use crate::support::World;

const TRAIN: &[&str] = &[
    "train",
    "--quiet",
    "--set",
    "train.iterations=2",
    "--set",
    "train.tasks_per_skill=1",
    "--set",
    "train.group_size=4",
    "--set",
    "train.pack_tasks=2",
    "--set",
    "train.probe_tasks=1",
    "--set",
    "eval.attempts=1",
];

/// Episodes of the only run, as phase, iteration, task and sample.
fn episodes(world: &World) -> Vec<(String, u32, String, u32)> {
    let runs = list_runs(&world.path().join(".basis/runs")).unwrap_or_default();
    let Some(run) = runs.first() else { return Vec::new() };
    let Ok(reader) = Reader::open(&run.dir) else { return Vec::new() };
    let rows = reader.rows(&EpisodeFilter::default()).unwrap();
    rows.into_iter().map(|row| (row.key.phase, row.key.iteration, row.key.task, row.key.sample)).collect()
}

#[test]
fn settings_that_would_have_no_effect_are_refused_before_anything_is_made() {
    let world = World::new();
    let refusals = [
        &["train.steps_per_iteration=1", "train.clip_high=1.5"][..],
        &["train.episode_tokens=100"],
        &["train.importance_cap=2"],
        &["train.quotas=bugfix=2"],
        &["train.tasks=bugfix=2"],
        &["train.advantage_scale=edit"],
        &["train.curriculum_low=0.1"],
        &["train.estimator=ppo"],
        &["train.reduction=mean"],
        &["train.max_staleness=1", "train.token_budget=9"],
    ];
    let refused = |settings: &&[&str]| {
        let flags = settings.iter().flat_map(|setting| ["--set", setting]);
        world.run(&["train"].into_iter().chain(flags).collect::<Vec<_>>())
    };
    let others = [&["train", "--skills", "edti"][..], &["train", "--reference", "models/none"]];
    let text = refusals.iter().map(refused).chain(others.iter().map(|arguments| world.run(arguments)));
    insta::assert_snapshot!(text.collect::<Vec<_>>().join("\n"));
}

#[cfg(not(feature = "gpu"))]
#[test]
fn an_engine_that_this_build_lacks_is_refused_before_anything_is_made_and_names_the_feature() {
    let text = World::new().run(&["train", "--engine", "gpu"]);
    assert!(text.starts_with("exit code 4"), "{text}");
    assert!(
        text.ends_with("error: engine `gpu` is not part of this build; build it with `--features gpu`\n"),
        "{text}"
    );
}

#[test]
fn training_that_is_killed_goes_on_and_counts_every_episode_once() {
    let world = World::new();
    let said = world.path().join("said");
    let stderr = std::fs::File::create(&said).unwrap();
    let mut child = world.command(TRAIN).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    let patience = Instant::now();
    let in_training = || episodes(&world).iter().any(|(phase, ..)| phase == "train");
    while !in_training() && child.try_wait().unwrap().is_none() && patience.elapsed() < Duration::from_secs(600) {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before: BTreeSet<_> = episodes(&world).into_iter().collect();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(!before.is_empty(), "nothing was recorded before the kill; it said: {said}");

    let text = world.run(TRAIN);
    assert!(text.starts_with("exit code 0"), "{text}");
    assert!(text.contains("average"), "{text}");
    let after = episodes(&world);
    let distinct: BTreeSet<_> = after.iter().cloned().collect();
    assert_eq!(distinct.len(), after.len(), "an episode is there twice");
    assert!(before.is_subset(&distinct), "an episode was lost");
    assert_eq!(list_runs(&world.path().join(".basis/runs")).unwrap().len(), 1, "a second run was begun");
}
