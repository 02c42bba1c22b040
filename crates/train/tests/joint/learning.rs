//! Reward must rise where one word decides.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use basis_gym::episode::{Message, Role};
use basis_gym::store::{Recorder, RunStart};
use basis_train::algo;
use basis_train::engines::{Datum, Engine, NAMES, available, open};
use basis_train::renderer::Renderer;
use basis_train::run::{Event, TrainConfig};
use basis_train::sft::{Sft, SftConfig};

use crate::world::{config, engine, renderer, run, tasks, taught, taught_engine};

#[test]
fn a_teacher_that_guesses_teaches_to_guess() {
    let (renderer, mut engine) = (renderer(), engine());
    let episodes = taught(&tasks(0, 12));
    let config = SftConfig { epochs: 30, learning_rate: 1e-2, batch_tokens: 256, ..SftConfig::default() };
    let stop = AtomicBool::new(false);
    let mut losses = Vec::new();
    let sft =
        Sft { engine: &mut engine, renderer: renderer.as_ref(), episodes: &episodes, config: &config, stop: &stop };
    let report = basis_train::sft::train(sft, &mut |progress| losses.push(progress.loss)).expect("trains");
    assert_eq!((report.steps, report.unusable, report.too_long), (losses.len(), 0, 0));
    assert!(losses[0] > 4.0 && report.loss < 1.0, "{} to {}", losses[0], report.loss);
    // One bit for the word, spread over its ids and the end of the turn.
    assert!(report.held_out.expect("a task was held out") < 1.0, "{report:?}");
}

#[test]
fn supervised_training_gives_the_same_weights_twice() {
    let renderer = renderer();
    let ids = renderer.prompt(&Message { role: Role::User, content: "fix 3".to_owned() });
    let weights = vec![1.0; ids.len() - 1];
    let datum = Datum { ids, weights, ..Datum::default() };
    let trained = || taught_engine(renderer.as_ref()).forward(std::slice::from_ref(&datum)).expect("scores");
    assert_eq!(trained(), trained());
}

#[test]
fn reward_rises_with_every_estimator() {
    let renderer = renderer();
    for estimator in algo::ALL {
        check_that_reward_rises(&mut taught_engine(renderer.as_ref()), &renderer, estimator.name());
    }
}

#[test]
fn reward_rises_with_every_engine() {
    let renderer = renderer();
    let dir = tempfile::tempdir().expect("a directory");
    taught_engine(renderer.as_ref()).save(dir.path(), false).expect("saves");
    for name in NAMES.into_iter().filter(|name| available(name).is_ok()) {
        check_that_reward_rises(open(name, dir.path(), 2).expect("opens").as_mut(), &renderer, "group_mean");
    }
}

fn check_that_reward_rises(engine: &mut dyn Engine, renderer: &Arc<dyn Renderer>, estimator: &str) {
    let root = tempfile::tempdir().expect("a directory");
    let start = RunStart { command: "train", config: "" };
    let dir = Recorder::create(root.path(), start).expect("creates").dir().to_path_buf();
    let config = TrainConfig { estimator: estimator.to_owned(), ..config() };
    let mut first_and_last = Vec::new();
    let mut listen = |event: Event<'_>| {
        if let Event::Iteration { metrics, .. } = event {
            first_and_last.push(metrics.iter().find(|(name, _)| name == "success/mean").expect("is there").1);
        }
    };
    let stop = AtomicBool::new(false);
    let report = run(&dir, &config, engine, renderer, &stop, &mut listen).expect("trains");
    let (first, last) = (first_and_last[0], first_and_last[first_and_last.len() - 1]);
    assert!(first < 0.65 && last > first + 0.2, "{estimator}: {first_and_last:?}");
    let average = report.comparison.expect("there were probes").average;
    assert!(average.interval.low > 0.0, "{estimator}: {average:?}");
    assert_eq!(report.checkpoint, report.best);
}
