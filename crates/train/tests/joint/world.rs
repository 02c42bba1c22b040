//! A world in which one word decides: every task wants `yes` or `no`, and nothing is ever run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use basis_gym::episode::{End, Episode, Grade, InvalidCause, Reply, Score, Step, Submission};
use basis_gym::project::{Origin, RunnerKind, TestSetup};
use basis_gym::rollout::World;
use basis_gym::store::{Recorder, RunStart};
use basis_gym::task::{Context, SCHEMA_VERSION, Task};
use basis_gym::tree::TreeId;
use basis_sandbox::{Change, Command, Output, Sandbox, SandboxError};
use basis_train::engines::Engine;
use basis_train::engines::local::{Config, Local};
use basis_train::renderer::{Compact, Renderer};
use basis_train::run::{Event, TrainConfig, TrainError, TrainReport, Training, train};
use basis_train::sft::{Sft, SftConfig};
use basis_train::tokenizer::Tokenizer;

pub(crate) struct Words;

struct Empty;

impl Sandbox for Empty {
    fn exec(&mut self, _: &Command) -> Result<Output, SandboxError> {
        Err(SandboxError::Lost("there is nothing to run in".to_owned()))
    }

    fn read(&mut self, path: &str, _: u64) -> Result<Vec<u8>, SandboxError> {
        Err(SandboxError::NotFound(path.to_owned()))
    }

    fn write(&mut self, _: &str, _: &[u8]) -> Result<(), SandboxError> {
        Ok(())
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        Ok(Vec::new())
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }
}

impl World for Words {
    fn sandbox(&self, _: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        Ok(Box::new(Empty))
    }

    fn grade(&self, task: &Task, submission: &Submission) -> Grade {
        let reward = f64::from(u8::from(task.hidden == submission.answer.as_str()));
        Grade::Scored(Score { reward, code: String::new(), detail: String::new(), table: Vec::new() })
    }
}

/// Tasks of two skills; those of `review` come in pairs of which one wants `yes` and one wants `no`.
pub(crate) fn tasks(from: usize, count: usize) -> Vec<Arc<Task>> {
    let edit = (from..from + count).map(|n| task("edit", &format!("fix {n}"), "yes", ""));
    let review = (from..from + count).map(|n| {
        let (kind, wanted) = if n % 2 == 0 { ("good", "yes") } else { ("bad", "no") };
        task("review", &format!("{kind} {}", n / 2), wanted, &format!("pair {}", n / 2))
    });
    edit.chain(review).map(Arc::new).collect()
}

pub(crate) fn task(skill: &str, prompt: &str, wanted: &str, pair: &str) -> Task {
    let tests = TestSetup {
        runner: RunnerKind::Plain,
        files: Vec::new(),
        import_roots: Vec::new(),
        requirements: Vec::new(),
        before: None,
    };
    let task = Task {
        id: String::new(),
        schema_version: SCHEMA_VERSION,
        skill: skill.to_owned(),
        prompt: prompt.to_owned(),
        context: Context { tree: TreeId(String::new()), tests, max_turns: 2 },
        hidden: wanted.into(),
        grader: "words".to_owned(),
        origin: Origin::new("", ""),
        project: String::new(),
        family: prompt.to_owned(),
        pair: pair.to_owned(),
    };
    task.sealed()
}

/// Episodes of a teacher who says `yes` and `no` with equal chance, whatever is asked.
pub(crate) fn taught(tasks: &[Arc<Task>]) -> Vec<Episode> {
    let both = |task: &Arc<Task>| ["yes", "no"].map(|answer| said(task, answer));
    tasks.iter().flat_map(both).collect()
}

fn said(task: &Task, answer: &str) -> Episode {
    let reply = Reply { text: answer.to_owned(), ..Reply::default() };
    Episode {
        task: task.id.clone(),
        skill: task.skill.clone(),
        sample: 0,
        policy: "teacher".to_owned(),
        prompt: task.prompt.clone(),
        steps: vec![Step { reply, observations: Vec::new() }],
        end: Some(End::Submitted),
        submission: Submission::default(),
        grade: Grade::Scored(Score { reward: 0.0, code: String::new(), detail: String::new(), table: Vec::new() }),
        tokens: None,
        program: None,
        acting: Duration::ZERO,
        grading: Duration::ZERO,
    }
}

pub(crate) fn renderer() -> Arc<dyn Renderer> {
    let texts = ["yes", "no", "fix 1", "good 2", "bad 3"].map(str::to_owned);
    let tokenizer = Tokenizer::train(&texts, 280, &Compact::SPECIALS).expect("trains");
    Arc::new(Compact::new(tokenizer).expect("has all specials"))
}

pub(crate) fn engine() -> Local {
    let config = Config {
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 16,
        max_position_embeddings: 64,
        ..Config::small(300)
    };
    Local::create(config, 1, 2).expect("the sizes go together")
}

/// An engine that speaks as the teacher does.
pub(crate) fn taught_engine(renderer: &dyn Renderer) -> Local {
    let mut engine = engine();
    let episodes = taught(&tasks(0, 12));
    let config = SftConfig { epochs: 30, learning_rate: 1e-2, batch_tokens: 256, ..SftConfig::default() };
    let stop = AtomicBool::new(false);
    let sft = Sft { engine: &mut engine, renderer, episodes: &episodes, config: &config, stop: &stop };
    basis_train::sft::train(sft, &mut |_| {}).expect("trains");
    engine
}

pub(crate) fn config() -> TrainConfig {
    let mut config =
        TrainConfig { iterations: 12, tasks_per_skill: 4, workers: 4, learning_rate: 5e-3, ..TrainConfig::default() };
    config.sampling.max_tokens = 8;
    config.sampling.min_tokens = 2;
    config
}

/// Trains in the run directory `run` and records into its store; whoever calls it again with the same directory goes on.
pub(crate) fn run(
    run: &Path,
    config: &TrainConfig,
    engine: &mut dyn Engine,
    renderer: &Arc<dyn Renderer>,
    stop: &AtomicBool,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<TrainReport, TrainError> {
    run_on(run, (&tasks(0, 12), &tasks(12, 8)), config, (engine, None), renderer, stop, events)
}

/// The same on any tasks, and with a second engine to sample.
pub(crate) fn run_on(
    run: &Path,
    (tasks, probes): (&[Arc<Task>], &[Arc<Task>]),
    config: &TrainConfig,
    (engine, sampler): (&mut dyn Engine, Option<Box<dyn Engine>>),
    renderer: &Arc<dyn Renderer>,
    stop: &AtomicBool,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<TrainReport, TrainError> {
    let mut recorder = Recorder::open(run).expect("opens");
    let checkpoints = recorder.checkpoints();
    train(Training {
        config,
        tasks,
        probes,
        world: &Words,
        program: None,
        engine,
        reference: None,
        sampler,
        renderer,
        log: &mut recorder,
        checkpoints: &checkpoints,
        stop,
        events,
        overdue: &|overdue| panic!("{overdue}"),
    })
}

/// A new run directory below `root`.
pub(crate) fn create(root: &Path) -> PathBuf {
    Recorder::create(root, RunStart { command: "train", config: "" }).expect("creates").dir().to_path_buf()
}
