//! `kill -9` at every boundary of training: before and after each call of engine and store, and at each event.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use basis_gym::episode::Episode;
use basis_gym::store::{Reader, Recorder};
use basis_train::engines::local::Local;
use basis_train::engines::{AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, SampleQueue, StepStats};
use basis_train::run::{Event, LogError, RunLog, TrainConfig, TrainReport, Training, train};

use crate::resuming::recorded;
use crate::world::{Words, config, create, renderer, tasks, taught_engine};

const RUN: &str = "BASIS_TEST_DYING_RUN";
const START: &str = "BASIS_TEST_DYING_START";
const BOUNDARY: &str = "BASIS_TEST_DYING_BOUNDARY";
const OVERLAPPING: &str = "BASIS_TEST_DYING_OVERLAPPING";

/// A boundary, and how often a process has come to it.
type Death = (&'static str, u32);

/// Where each process of the run is killed: a boundary, and how often this process has come to it. Together they lead through
/// all phases of a run of three iterations.
const DEATHS: [Death; 23] = [
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
    ("after metrics", 1),
    ("probe", 1),
];

/// The same where rollouts and training overlap, with the sampler's own boundaries. A process that starts before the first checkpoint
/// measures the first probe again, from what is on record.
const DEATHS_OF_OVERLAP: [Death; 29] = [
    ("before sample", 1),
    ("after record", 5),
    ("before metrics", 1),
    ("probe", 1),
    ("before save", 1),
    ("after save", 1),
    ("sampler: before load", 1),
    ("sampler: after load", 1),
    ("sampler: before sample", 1),
    ("after record", 3),
    ("before record", 20),
    ("before forward_backward", 1),
    ("after forward_backward", 2),
    ("before optim_step", 1),
    ("after optim_step", 2),
    ("before metrics", 2),
    ("after metrics", 2),
    ("iteration", 1),
    ("before save", 2),
    ("after save", 2),
    ("checkpoint", 1),
    ("after load", 1),
    ("after rewind", 1),
    ("before save", 3),
    ("after save", 3),
    ("sampler: before load", 2),
    ("sampler: after load", 2),
    ("after record", 40),
    ("after metrics", 1),
];

fn short() -> TrainConfig {
    TrainConfig { iterations: 3, group: 4, keep: 1, ..config() }
}

/// More iterations, because some boundaries lie behind a checkpoint.
fn overlapping() -> TrainConfig {
    TrainConfig { iterations: 6, max_staleness: 1, ..short() }
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
}

struct Mined<'a, T> {
    inner: T,
    bomb: &'a Bomb,
    /// Comes before the names of its boundaries.
    name: &'static str,
}

impl<T> Mined<'_, T> {
    fn around<V>(&self, call: &str, work: impl FnOnce(&T) -> V) -> V {
        self.bomb.at(&format!("{}before {call}", self.name));
        let value = work(&self.inner);
        self.bomb.at(&format!("{}after {call}", self.name));
        value
    }

    fn around_mut<V>(&mut self, call: &str, work: impl FnOnce(&mut T) -> V) -> V {
        self.bomb.at(&format!("{}before {call}", self.name));
        let value = work(&mut self.inner);
        self.bomb.at(&format!("{}after {call}", self.name));
        value
    }
}

impl Engine for Mined<'_, Local> {
    fn info(&self) -> Info {
        self.inner.info()
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        self.around_mut("sample", |engine| engine.sample(queue))
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        self.around_mut("forward_backward", |engine| engine.forward_backward(batch, loss))
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.inner.forward(batch)
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        self.around_mut("optim_step", |engine| engine.optim_step(step))
    }

    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        self.around("save", |engine| engine.save(dir, with_optimizer))
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        self.around_mut("load", |engine| engine.load(dir))
    }
}

impl RunLog for Mined<'_, Recorder> {
    fn record(&mut self, phase: &str, iteration: u32, episode: &Episode) -> Result<bool, LogError> {
        self.around_mut("record", |log| RunLog::record(log, phase, iteration, episode))
    }

    fn episodes(&mut self, phase: &str, iteration: u32) -> Result<Vec<Episode>, LogError> {
        self.inner.episodes(phase, iteration)
    }

    fn metrics(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), LogError> {
        self.around_mut("metrics", |log| RunLog::metrics(log, step, values))
    }

    fn rewind(&mut self, last: Option<u64>) -> Result<(), LogError> {
        self.around_mut("rewind", |log| log.rewind(last))
    }
}

fn go_on(dir: &Path, start: &Path, config: &TrainConfig, bomb: &'static Bomb) -> TrainReport {
    let recorder = Recorder::open(dir).expect("opens");
    let checkpoints = recorder.checkpoints();
    let mut listen = |event: Event<'_>| match event {
        Event::Iteration { .. } => bomb.at("iteration"),
        Event::Checkpoint { .. } => bomb.at("checkpoint"),
        Event::Probe { .. } => bomb.at("probe"),
        _ => {}
    };
    let mined = |name| Mined { inner: Local::open(start, 2).expect("opens"), bomb, name };
    let sampler: Option<Box<dyn Engine>> = match config.max_staleness {
        0 => None,
        _ => Some(Box::new(mined("sampler: "))),
    };
    train(Training {
        config,
        tasks: &tasks(0, 12),
        probes: &tasks(12, 8),
        world: &Words,
        program: None,
        engine: &mut mined(""),
        reference: None,
        sampler,
        renderer: &renderer(),
        log: &mut Mined { inner: recorder, bomb, name: "" },
        checkpoints: &checkpoints,
        stop: &AtomicBool::new(false),
        events: &mut listen,
        overdue: &|overdue| panic!("{overdue}"),
    })
    .expect("trains")
}

/// A bomb for a whole process.
fn bomb(boundary: &str, times: u32) -> &'static Bomb {
    Box::leak(Box::new(Bomb { boundary: boundary.to_owned(), left: Mutex::new(times) }))
}

fn harmless() -> &'static Bomb {
    bomb("", 0)
}

fn weights(report: &TrainReport) -> [Vec<u8>; 2] {
    let dir = report.checkpoint.clone().expect("there is one");
    ["model.safetensors", "optimizer.safetensors"].map(|name| std::fs::read(dir.join(name)).expect("reads"))
}

/// A run in `dir` that is killed at each of these boundaries, one process after the other.
fn kill(dir: &Path, start: &Path, deaths: &[Death], overlapping: bool) {
    for (boundary, times) in deaths {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command
            .args(["--exact", "dying::child_that_waits_at_its_boundary", "--ignored", "--nocapture"])
            .env(RUN, dir)
            .env(START, start)
            .env(BOUNDARY, format!("{times} {boundary}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if overlapping {
            command.env(OVERLAPPING, "1");
        }
        let mut child = command.spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is a pipe")).lines();
        let arrived = lines.map_while(Result::ok).any(|line| line.contains(BOUNDARY));
        child.kill().expect("is killed");
        child.wait().expect("is gone");
        assert!(arrived, "the run ended before it came to `{boundary}` for the time {times}");
    }
}

/// Steps of the metrics: iterations, and the probes before and after them.
fn steps(dir: &Path) -> Vec<u64> {
    Reader::open(dir).expect("opens").metrics().expect("reads").iter().map(|row| row.step).collect()
}

fn nothing_half_written_stays(report: &TrainReport) {
    let checkpoint = report.checkpoint.clone().expect("there is one");
    let left = std::fs::read_dir(checkpoint.parent().expect("has one")).expect("lists");
    let left: Vec<String> =
        left.map(|entry| entry.expect("is there").file_name().into_string().expect("is text")).collect();
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
}

fn taught() -> tempfile::TempDir {
    let start = tempfile::tempdir().expect("a directory");
    taught_engine(renderer().as_ref()).save(start.path(), false).expect("saves");
    start
}

#[test]
fn killed_at_every_boundary_it_ends_with_the_episodes_and_weights_of_a_run_that_was_not() {
    let (start, root) = (taught(), tempfile::tempdir().expect("a directory"));
    let (killed, whole) = (create(&root.path().join("killed")), create(&root.path().join("whole")));
    kill(&killed, start.path(), &DEATHS, false);
    let report = go_on(&killed, start.path(), &short(), harmless());
    let expected = go_on(&whole, start.path(), &short(), harmless());
    assert!(recorded(&killed) == recorded(&whole), "the same episodes, each once");
    assert!(weights(&report) == weights(&expected), "the same weights and moments, bit for bit");
    assert_eq!(report.comparison, expected.comparison);
    assert_eq!(steps(&killed), [0, 1, 2, 3, 3], "every number once");
    nothing_half_written_stays(&report);
}

/// Which weights sample which token depends on who is faster, so that two runs differ. What a run learns follows from what it has on
/// record: every episode of every iteration, once.
#[test]
fn an_overlapping_run_that_is_killed_at_every_boundary_has_every_episode_once_and_learned_from_each_what_is_in_it() {
    let (start, root) = (taught(), tempfile::tempdir().expect("a directory"));
    let (killed, whole) = (create(&root.path().join("killed")), create(&root.path().join("whole")));
    kill(&killed, start.path(), &DEATHS_OF_OVERLAP, true);
    let report = go_on(&killed, start.path(), &overlapping(), harmless());
    go_on(&whole, start.path(), &overlapping(), harmless());
    let names = |dir: &Path| recorded(dir).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&killed), names(&whole), "the same tasks and samples in every iteration, each once");
    assert_eq!(steps(&killed), [0, 1, 2, 3, 4, 5, 6, 6], "every number once");
    nothing_half_written_stays(&report);

    let again = create(&root.path().join("again"));
    let (mut recorder, reader) = (Recorder::open(&again).expect("opens"), Reader::open(&killed).expect("opens"));
    for iteration in 1..=overlapping().iterations {
        for episode in reader.episodes("train", iteration).expect("reads") {
            RunLog::record(&mut recorder, "train", iteration, &episode).expect("records");
        }
    }
    drop(recorder);
    let learned = go_on(&again, start.path(), &overlapping(), harmless());
    assert!(weights(&report) == weights(&learned), "the weights that these episodes give, bit for bit");
}

/// Not a test by itself: the body of the child process.
#[test]
#[ignore = "run by the test that kills it"]
fn child_that_waits_at_its_boundary() {
    let path = |name| PathBuf::from(std::env::var_os(name).expect("is set"));
    let boundary = std::env::var(BOUNDARY).expect("is set");
    let (times, boundary) = boundary.split_once(' ').expect("has a number");
    let config = if std::env::var_os(OVERLAPPING).is_some() { overlapping() } else { short() };
    go_on(&path(RUN), &path(START), &config, bomb(boundary, times.parse().expect("is a number")));
}
