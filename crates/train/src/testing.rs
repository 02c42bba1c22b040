//! Tasks, graded episodes and a scripted engine for the tests of this crate.

use std::path::Path;
use std::time::Duration;

use basis_gym::episode::{Episode, Grade, InvalidCause, Score, Submission, TokenTrace};
use basis_gym::project::{Origin, RunnerKind, TestSetup};
use basis_gym::task::{Context, SCHEMA_VERSION, Task};
use basis_gym::tree::TreeId;

use crate::engines::{
    AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, Next, SampleQueue, Sampled, StepStats,
};
use crate::renderer::{Compact, Renderer};
use crate::tokenizer::Tokenizer;

pub(crate) fn episode(skill: &str, task: &str, reward: f64) -> Episode {
    let score = Score { reward, code: String::new(), detail: String::new(), table: Vec::new() };
    with_grade(skill, task, Grade::Scored(score))
}

pub(crate) fn invalid(skill: &str, task: &str) -> Episode {
    with_grade(skill, task, Grade::Invalid(InvalidCause::Sandbox("lost".to_owned())))
}

/// An episode of one prompt id and `length` sampled ids.
pub(crate) fn sampled(skill: &str, task: &str, reward: f64, length: usize) -> Episode {
    let mut trace = TokenTrace { ids: vec![1], sampled: vec![false], logprobs: vec![0.0], ..TokenTrace::default() };
    trace.ids.extend(std::iter::repeat_n(2, length));
    trace.sampled.extend(std::iter::repeat_n(true, length));
    trace.logprobs.extend(std::iter::repeat_n(-0.5, length));
    Episode { tokens: Some(trace), ..episode(skill, task, reward) }
}

fn with_grade(skill: &str, task: &str, grade: Grade) -> Episode {
    Episode {
        task: task.to_owned(),
        skill: skill.to_owned(),
        sample: 0,
        policy: String::new(),
        prompt: String::new(),
        steps: Vec::new(),
        end: None,
        submission: Submission::default(),
        grade,
        tokens: None,
        program: None,
        acting: Duration::ZERO,
        grading: Duration::ZERO,
    }
}

/// A task that needs no sandbox, with the id as its prompt.
pub(crate) fn task(skill: &str, id: &str, pair: &str) -> Task {
    let tests = TestSetup {
        runner: RunnerKind::Plain,
        files: Vec::new(),
        import_roots: Vec::new(),
        requirements: Vec::new(),
        before: None,
    };
    Task {
        id: id.to_owned(),
        schema_version: SCHEMA_VERSION,
        skill: skill.to_owned(),
        prompt: id.to_owned(),
        context: Context { tree: TreeId(String::new()), tests, max_turns: 4 },
        hidden: serde_json::Value::Null,
        grader: String::new(),
        origin: Origin::new("", ""),
        project: String::new(),
        family: id.to_owned(),
        pair: pair.to_owned(),
    }
}

/// An engine that always says the same turn, or always fails.
pub(crate) struct Script {
    turn: Option<Vec<u32>>,
}

impl Script {
    pub(crate) fn new(turn: Vec<u32>) -> Self {
        Self { turn: Some(turn) }
    }

    pub(crate) fn failing() -> Self {
        Self { turn: None }
    }
}

impl Engine for Script {
    fn info(&self) -> Info {
        Info { engine: "script", parameters: 0, vocab: 300, context: 2048, weight_version: 0 }
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        while let Next::Request(request) = queue.next(true) {
            let Some(turn) = &self.turn else { return Err(EngineError::NotFinite { what: "logits" }) };
            let logprobs = vec![-0.5; turn.len()];
            queue.finish(request.id, Sampled { tokens: turn.clone(), logprobs, stopped: true });
        }
        Ok(())
    }

    fn forward_backward(&mut self, _: &[Datum], _: Loss) -> Result<ForwardBackward, EngineError> {
        Ok(ForwardBackward::default())
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(batch.iter().map(|datum| vec![-0.5; datum.weights.len()]).collect())
    }

    fn optim_step(&mut self, _: &AdamW) -> Result<StepStats, EngineError> {
        Ok(StepStats { grad_norm: 0.0, weight_version: 0 })
    }

    fn save(&self, _: &Path, _: bool) -> Result<(), EngineError> {
        Ok(())
    }

    fn load(&mut self, _: &Path) -> Result<(), EngineError> {
        Ok(())
    }
}

/// A renderer around a tokenizer that has learned next to nothing.
pub(crate) fn renderer() -> std::sync::Arc<dyn Renderer> {
    let texts = ["look at the file a.py".to_owned()];
    let tokenizer = Tokenizer::train(&texts, 300, &Compact::SPECIALS).expect("trains");
    std::sync::Arc::new(Compact::new(tokenizer).expect("has all specials"))
}
