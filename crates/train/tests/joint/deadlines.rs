//! Engines and graders that hang: what is said of them, and what goes on afterwards.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use basis_gym::episode::{Grade, InvalidCause, Submission};
use basis_gym::rollout::World;
use basis_gym::store::Recorder;
use basis_gym::task::Task;
use basis_sandbox::Sandbox;
use basis_train::engines::local::Local;
use basis_train::engines::{AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, SampleQueue, StepStats};
use basis_train::run::{Deadlines, Overdue, Phase, TrainConfig, TrainError, TrainReport, Training, train};

use crate::world::{Words, config, create, renderer, tasks, taught_engine};

/// No phase has a deadline.
const NEVER: Deadlines = Deadlines { rollout: 0.0, grading: 0.0, training: 0.0, checkpoint: 0.0, probe: 0.0 };

/// Where something hangs, once, until somebody lets it go on.
struct Gate {
    at: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    hung: bool,
    open: bool,
}

impl Gate {
    fn new(at: &'static str) -> Self {
        Self { at, state: Mutex::default(), changed: Condvar::new() }
    }

    fn pass(&self, at: &str) {
        let mut state = self.state.lock().expect("nobody panics");
        if at != self.at || std::mem::replace(&mut state.hung, true) {
            return;
        }
        while !state.open {
            state = self.changed.wait(state).expect("nobody panics");
        }
    }

    fn open(&self) {
        self.state.lock().expect("nobody panics").open = true;
        self.changed.notify_all();
    }
}

struct Hanging<'a> {
    inner: Local,
    gate: &'a Gate,
}

impl Engine for Hanging<'_> {
    fn info(&self) -> Info {
        self.inner.info()
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        self.gate.pass("sample");
        self.inner.sample(queue)
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        self.gate.pass("forward_backward");
        self.inner.forward_backward(batch, loss)
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.inner.forward(batch)
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        self.gate.pass("optim_step");
        self.inner.optim_step(step)
    }

    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        self.gate.pass("save");
        self.inner.save(dir, with_optimizer)
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        self.inner.load(dir)
    }
}

/// Counts sandboxes, and may hang while it grades.
struct Counting<'a> {
    gate: &'a Gate,
    sandboxes: AtomicUsize,
}

impl World for Counting<'_> {
    fn sandbox(&self, task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.sandboxes.fetch_add(1, Ordering::SeqCst);
        Words.sandbox(task)
    }

    fn grade(&self, task: &Task, submission: &Submission) -> Grade {
        self.gate.pass("grade");
        Words.grade(task, submission)
    }
}

struct Outcome {
    result: Result<TrainReport, TrainError>,
    told: Vec<Overdue>,
    sandboxes: usize,
}

/// A run of one iteration in which something hangs at `at` until it was said `times` times that something is overdue.
fn run(at: &'static str, times: usize, deadlines: Deadlines, patience: f64) -> Outcome {
    let root = tempfile::tempdir().expect("a directory");
    let mut recorder = Recorder::open(&create(root.path())).expect("opens");
    let checkpoints = recorder.checkpoints();
    // Sandboxes that are not shared tell how many episodes were played.
    let mut config = TrainConfig { iterations: 1, group: 4, deadlines, share_prefixes: false, ..config() };
    config.sampling.patience = patience;
    let gate = Gate::new(at);
    let world = Counting { gate: &gate, sandboxes: AtomicUsize::new(0) };
    let (told, renderer) = (Mutex::new(Vec::new()), renderer());
    let tell = |overdue: &Overdue| {
        let mut told = told.lock().expect("nobody panics");
        told.push(overdue.clone());
        if told.len() == times {
            gate.open();
        }
    };
    let result = train(Training {
        config: &config,
        tasks: &tasks(0, 12),
        probes: &[],
        world: &world,
        program: None,
        engine: &mut Hanging { inner: taught_engine(renderer.as_ref()), gate: &gate },
        reference: None,
        sampler: None,
        renderer: &renderer,
        log: &mut recorder,
        checkpoints: &checkpoints,
        stop: &AtomicBool::new(false),
        events: &mut |_| {},
        overdue: &tell,
    });
    let sandboxes = world.sandboxes.load(Ordering::SeqCst);
    Outcome { result, told: told.into_inner().expect("nobody panics"), sandboxes }
}

/// Two skills with four tasks of four samples.
const EPISODES: usize = 2 * 4 * 4;

#[test]
fn an_engine_that_hangs_in_training_is_named_with_its_step() {
    let outcome = run("forward_backward", 2, Deadlines { training: 1.0, ..NEVER }, 0.0);
    outcome.result.expect("goes on afterwards");
    let [first, last, ..] = &outcome.told[..] else { panic!("{:?}", outcome.told) };
    assert_eq!((first.phase, first.iteration, first.is_last, last.is_last), (Phase::Training, 1, false, true));
    let text = first.to_string();
    assert!(text.starts_with("training of iteration 1 has taken "), "{text}");
    assert!(text.contains(" s, more than 1 s; it waits for the gradient of step 1 of 2: "), "{text}");
    assert!(text.contains("sequences of ") && text.contains("edit"), "{text}");
}

#[test]
fn an_engine_that_hangs_in_a_checkpoint_is_named_with_the_directory() {
    let outcome = run("save", 1, Deadlines { checkpoint: 1.0, ..NEVER }, 0.0);
    outcome.result.expect("goes on afterwards");
    let text = outcome.told[0].to_string();
    assert!(text.contains("it waits for the engine, which writes to ") && text.ends_with("checkpoints/0001"), "{text}");
}

#[test]
fn a_grader_that_hangs_is_named_with_task_sample_and_skill() {
    let outcome = run("grade", 1, Deadlines { grading: 1.0, ..NEVER }, 0.0);
    outcome.result.expect("goes on afterwards");
    let [overdue] = &outcome.told[..] else { panic!("one episode was overdue: {:?}", outcome.told) };
    assert_eq!((overdue.phase, overdue.iteration), (Phase::Grading, 1));
    let missing = &overdue.missing[0];
    let known =
        tasks(0, 12).iter().any(|task| missing.starts_with(&format!("{} {} sample ", task.skill, &task.id[..12])));
    assert!(known && missing.contains(": is graded for "), "{missing}");
}

#[test]
fn an_engine_that_hangs_while_it_samples_is_told_with_the_episodes_that_wait_for_it() {
    let outcome = run("sample", 1, Deadlines { rollout: 1.0, ..NEVER }, 0.0);
    outcome.result.expect("goes on afterwards");
    assert_eq!(outcome.sandboxes, EPISODES, "nothing is played twice");
    let overdue = &outcome.told[0];
    assert_eq!((overdue.phase, overdue.missing.len()), (Phase::Rollout, 4), "as many as there are workers: {overdue}");
    assert!(overdue.missing.iter().all(|line| line.contains(": waits for the model for ")), "{overdue}");
}

#[test]
fn what_an_engine_left_unanswered_is_played_again_once() {
    // It hangs for three seconds; one waits for two.
    let outcome = run("sample", 1, Deadlines { rollout: 3.0, ..NEVER }, 2.0);
    outcome.result.expect("goes on afterwards, without an invalid episode");
    assert_eq!(outcome.sandboxes, EPISODES + 4, "four workers waited, and each played its episode again");
}

#[test]
fn an_engine_that_never_answers_makes_invalid_episodes_and_is_named_as_the_thread_that_is_left() {
    let outcome = run("sample", 1, Deadlines { rollout: 6.0, ..NEVER }, 0.2);
    let text = outcome.result.expect_err("every episode is invalid").to_string();
    assert!(text.contains("32 of 32 episodes of train 1 are invalid"), "{text}");
    assert!(text.contains("the engine has neither taken a request nor finished one for 0.2 s"), "{text}");
    assert_eq!(outcome.sandboxes, 2 * EPISODES);
    assert!(
        outcome.told[0]
            .to_string()
            .ends_with("it waits for the thread that samples, which has not ended; all its episodes have")
    );
}
