//! `kill -9` at every boundary of training: before and after each call of engine and store, and at each event.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use basis_gym::episode::Episode;
use basis_gym::store::Recorder;
use basis_train::engines::local::Local;
use basis_train::engines::{AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, SampleQueue, StepStats};
use basis_train::run::{Event, LogError, RunLog, TrainConfig, TrainReport, Training, train};

use crate::resuming::recorded;
use crate::world::{Words, config, create, renderer, tasks, taught_engine};

const RUN: &str = "BASIS_TEST_DYING_RUN";
const START: &str = "BASIS_TEST_DYING_START";
const BOUNDARY: &str = "BASIS_TEST_DYING_BOUNDARY";

/// Where each process of the run is killed: a boundary, and how often this process has come to it. Together they lead through
/// all phases of a run of three iterations.
const DEATHS: [(&str, u32); 21] = [
    ("before sample", 1),
    ("after record", 5),
    ("before metrics", 1),
    ("probe", 1),
    ("before record", 10),
    ("after sample", 1),
    ("before forward_backward", 1),
    ("after forward_backward", 2),
    ("before optim_step", 1),
    ("after optim_step", 2),
    ("before metrics", 2),
    ("after metrics", 2),
    ("iteration", 1),
    ("before save", 1),
    ("after save", 1),
    ("checkpoint", 1),
    ("after load", 1),
    ("after rewind", 1),
    ("after save", 2),
    ("checkpoint", 1),
    ("after record", 7),
];

fn short() -> TrainConfig {
    TrainConfig { iterations: 3, group: 4, keep: 1, ..config() }
}

/// Stops this process for good, in the middle of whatever it does, when its boundary comes for the given time.
struct Bomb {
    boundary: String,
    left: Mutex<u32>,
}

impl Bomb {
    #[expect(clippy::print_stdout, reason = "the parent waits for this line")]
    fn at(&self, boundary: &str) {
        let mut left = self.left.lock().expect("nobody panics");
        if *left == 0 || boundary != self.boundary {
            return;
        }
        *left -= 1;
        if *left == 0 {
            println!("\n{BOUNDARY}");
            // The parent kills this process now.
            loop {
                std::thread::park();
            }
        }
    }

    fn around<T>(&self, call: &str, work: impl FnOnce() -> T) -> T {
        self.at(&format!("before {call}"));
        let value = work();
        self.at(&format!("after {call}"));
        value
    }
}

struct Mined<'a, T> {
    inner: T,
    bomb: &'a Bomb,
}

impl Engine for Mined<'_, Local> {
    fn info(&self) -> Info {
        self.inner.info()
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        self.bomb.around("sample", || self.inner.sample(queue))
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        self.bomb.around("forward_backward", || self.inner.forward_backward(batch, loss))
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.inner.forward(batch)
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        self.bomb.around("optim_step", || self.inner.optim_step(step))
    }

    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        self.bomb.around("save", || self.inner.save(dir, with_optimizer))
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        self.bomb.around("load", || self.inner.load(dir))
    }
}

impl RunLog for Mined<'_, Recorder> {
    fn record(&mut self, phase: &str, iteration: u32, episode: &Episode) -> Result<bool, LogError> {
        self.bomb.around("record", || RunLog::record(&mut self.inner, phase, iteration, episode))
    }

    fn episodes(&mut self, phase: &str, iteration: u32) -> Result<Vec<Episode>, LogError> {
        self.inner.episodes(phase, iteration)
    }

    fn metrics(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), LogError> {
        self.bomb.around("metrics", || RunLog::metrics(&mut self.inner, step, values))
    }

    fn rewind(&mut self, last: Option<u64>) -> Result<(), LogError> {
        self.bomb.around("rewind", || self.inner.rewind(last))
    }
}

fn go_on(dir: &Path, start: &Path, bomb: &Bomb) -> TrainReport {
    let recorder = Recorder::open(dir).expect("opens");
    let checkpoints = recorder.checkpoints();
    let mut listen = |event: Event<'_>| match event {
        Event::Iteration { .. } => bomb.at("iteration"),
        Event::Checkpoint { .. } => bomb.at("checkpoint"),
        Event::Probe { .. } => bomb.at("probe"),
        _ => {}
    };
    train(Training {
        config: &short(),
        tasks: &tasks(0, 12),
        probes: &tasks(12, 8),
        world: &Words,
        program: None,
        engine: &mut Mined { inner: Local::open(start, 2).expect("opens"), bomb },
        reference: None,
        sampler: None,
        renderer: &renderer(),
        log: &mut Mined { inner: recorder, bomb },
        checkpoints: &checkpoints,
        stop: &AtomicBool::new(false),
        events: &mut listen,
    })
    .expect("trains")
}

fn harmless() -> Bomb {
    Bomb { boundary: String::new(), left: Mutex::new(0) }
}

fn weights(report: &TrainReport) -> [Vec<u8>; 2] {
    let dir = report.checkpoint.clone().expect("there is one");
    ["model.safetensors", "optimizer.safetensors"].map(|name| std::fs::read(dir.join(name)).expect("reads"))
}

#[test]
fn killed_at_every_boundary_it_ends_with_the_episodes_and_weights_of_a_run_that_was_not() {
    let (start, root) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    taught_engine(renderer().as_ref()).save(start.path(), false).expect("saves");
    let (killed, whole) = (create(&root.path().join("killed")), create(&root.path().join("whole")));
    for (boundary, times) in DEATHS {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "dying::child_that_waits_at_its_boundary", "--ignored", "--nocapture"])
            .env(RUN, &killed)
            .env(START, start.path())
            .env(BOUNDARY, format!("{boundary}:{times}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is a pipe")).lines();
        let arrived = lines.map_while(Result::ok).any(|line| line.contains(BOUNDARY));
        child.kill().expect("is killed");
        child.wait().expect("is gone");
        assert!(arrived, "the run ended before it came to `{boundary}` for the time {times}");
    }
    let report = go_on(&killed, start.path(), &harmless());
    let expected = go_on(&whole, start.path(), &harmless());
    assert!(recorded(&killed) == recorded(&whole), "the same episodes, each once");
    assert!(weights(&report) == weights(&expected), "the same weights and moments, bit for bit");
    assert_eq!(report.comparison, expected.comparison);
    let left = std::fs::read_dir(report.checkpoint.expect("there is one").parent().expect("has one")).expect("lists");
    let left: Vec<String> =
        left.map(|entry| entry.expect("is there").file_name().into_string().expect("is text")).collect();
    assert!(left.iter().all(|name| !name.starts_with('.')), "nothing half-written stays: {left:?}");
}

/// Not a test by itself: the body of the child process.
#[test]
#[ignore = "run by the test that kills it"]
fn child_that_waits_at_its_boundary() {
    let path = |name| PathBuf::from(std::env::var_os(name).expect("is set"));
    let boundary = std::env::var(BOUNDARY).expect("is set");
    let (boundary, times) = boundary.split_once(':').expect("has a number");
    let bomb = Bomb { boundary: boundary.to_owned(), left: Mutex::new(times.parse().expect("is a number")) };
    go_on(&path(RUN), &path(START), &bomb);
}
