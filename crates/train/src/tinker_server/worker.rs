//! The one thread that has the engine: it keeps promises in the order in which they were made.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::ServerConfig;
use super::promises::{Kept, Promises};
use super::routes::metrics;
use crate::engines::tinker::proto::{self, Output, Sequence, Tensor, encode_sequences};
use crate::engines::{AdamW, Datum, Engine, EngineError, Loss, Next, SampleQueue, SampleRequest, Sampled};

/// Something to do, and the promise that it keeps.
pub(super) struct Job {
    pub(super) promise: String,
    pub(super) work: Work,
}

pub(super) enum Work {
    Create { model: String },
    Unload { model: String },
    ForwardBackward { model: String, asked: proto::Request },
    Step { model: String, step: AdamW },
    Save { model: String, directory: PathBuf, answer: serde_json::Value, with_optimizer: bool },
    Load { model: String, directory: PathBuf },
    Sample { weights: Weights, sample: Sample },
}

/// Which weights are sampled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Weights {
    /// Those that every model begins with.
    Base,
    /// Those that were saved there.
    In(PathBuf),
}

/// What is sampled.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) prompt: Vec<u32>,
    pub(super) count: u64,
    pub(super) max_tokens: usize,
    pub(super) temperature: f32,
    pub(super) stop: Vec<u32>,
    pub(super) seed: u64,
    pub(super) prompt_logprobs: bool,
}

/// Why a promise is not kept, and whether the client is to blame.
struct Failure {
    error: String,
    by_client: bool,
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let by_client =
            matches!(error, EngineError::TooLong { .. } | EngineError::Invalid { .. } | EngineError::NotFinite { .. });
        Self { error: error.to_string(), by_client }
    }
}

fn by_client<T>(error: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { error: error.into(), by_client: true })
}

/// See the module.
pub(super) struct Worker<'a> {
    engine: &'a mut dyn Engine,
    base: PathBuf,
    swap: PathBuf,
    /// The model in training.
    model: Option<String>,
    /// Where the present weights are also saved, if nothing has changed since.
    saved: Vec<PathBuf>,
    /// Whether there is a gradient that no step has used.
    has_gradient: bool,
}

impl<'a> Worker<'a> {
    /// Keeps the weights to begin with.
    pub(super) fn new(engine: &'a mut dyn Engine, config: &ServerConfig) -> Result<Self, EngineError> {
        let (base, swap) = (config.directory.join("base"), config.directory.join("swap"));
        for directory in [&base, &swap] {
            std::fs::create_dir_all(directory).map_err(|source| EngineError::Io { path: directory.clone(), source })?;
        }
        engine.save(&base, true)?;
        Ok(Self { engine, saved: vec![base.clone()], base, swap, model: None, has_gradient: false })
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(&mut self, jobs: &Receiver<Job>, promises: &Promises) {
        let mut waiting: VecDeque<Job> = VecDeque::new();
        while let Some(job) = waiting.pop_front().or_else(|| jobs.recv().ok()) {
            waiting.extend(jobs.try_iter());
            let Work::Sample { weights, sample } = job.work else {
                let kept =
                    self.work(job.work).unwrap_or_else(|it| Kept::Failed { error: it.error, by_client: it.by_client });
                promises.keep(&job.promise, kept);
                continue;
            };
            let mut together = vec![(job.promise, sample)];
            while let Some(Job { work: Work::Sample { weights: other, .. }, .. }) = waiting.front()
                && *other == weights
            {
                let Some(Job { promise, work: Work::Sample { sample, .. } }) = waiting.pop_front() else { break };
                together.push((promise, sample));
            }
            self.sample(&weights, together, promises);
        }
    }

    fn work(&mut self, work: Work) -> Result<Kept, Failure> {
        match work {
            Work::Create { model } => {
                self.engine.load(&self.base)?;
                self.now_is(&model, vec![self.base.clone()]);
                Ok(Kept::Json(json!({"model_id": model, "type": "create_model"})))
            }
            Work::Unload { model } => {
                if self.model.as_ref() == Some(&model) {
                    (self.model, self.has_gradient) = (None, false);
                }
                Ok(Kept::Json(json!({"model_id": model, "type": "unload_model"})))
            }
            Work::ForwardBackward { model, asked } => {
                self.check(&model)?;
                self.forward_backward(&asked)
            }
            Work::Step { model, step } => {
                self.check(&model)?;
                let stats = self.engine.optim_step(&step)?;
                self.has_gradient = false;
                self.saved.clear();
                Ok(Kept::Json(json!({"metrics": {"grad_norm": stats.grad_norm}, "type": "optim_step"})))
            }
            Work::Save { model, directory, answer, with_optimizer } => {
                self.check(&model)?;
                self.save(&directory, with_optimizer)?;
                self.saved.push(directory);
                Ok(Kept::Json(answer))
            }
            // The optimiser's state comes with the weights wherever it was saved.
            Work::Load { model, directory } => {
                self.engine.load(&directory)?;
                self.now_is(&model, vec![directory]);
                Ok(Kept::Json(json!({"model_id": model, "type": "load_weights"})))
            }
            Work::Sample { .. } => unreachable!("samples are taken together"),
        }
    }

    fn now_is(&mut self, model: &str, saved: Vec<PathBuf>) {
        (self.model, self.saved, self.has_gradient) = (Some(model.to_owned()), saved, false);
    }

    fn check(&self, model: &str) -> Result<(), Failure> {
        match &self.model {
            Some(own) if own == model => Ok(()),
            Some(own) => by_client(format!(
                "`{model}` had to make room for `{own}`: there is one model at a time here; save and load"
            )),
            None => by_client(format!("`{model}` was unloaded; create it again")),
        }
    }

    /// Weights appear by rename, so that an address that is known has all of them.
    fn save(&mut self, directory: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        let at = |path: &Path, result: std::io::Result<()>| {
            result.map_err(|source| EngineError::Io { path: path.to_owned(), source })
        };
        let partial = directory.with_extension("partial");
        for stale in [&partial, directory].into_iter().filter(|stale| stale.exists()) {
            at(stale, std::fs::remove_dir_all(stale))?;
        }
        at(&partial, std::fs::create_dir_all(&partial))?;
        self.engine.save(&partial, with_optimizer)?;
        at(directory, std::fs::rename(&partial, directory))
    }

    fn forward_backward(&mut self, asked: &proto::Request) -> Result<Kept, Failure> {
        let loss = loss(asked)?;
        let batch = asked.data.iter().map(|datum| datum_of(datum, loss)).collect::<Result<Vec<_>, Failure>>()?;
        // The engine says nothing about single targets while it goes backward.
        let logprobs = self.engine.forward(&batch)?;
        let sum = match asked.forward_only {
            true => batch.iter().zip(&logprobs).map(|(datum, own)| nll(datum, own)).sum(),
            false => {
                self.has_gradient = true;
                self.engine.forward_backward(&batch, loss)?.loss
            }
        };
        Ok(Kept::Protobuf(Output { logprobs, metrics: metrics(&[("loss:sum", sum)]) }.encode()))
    }

    fn sample(&mut self, weights: &Weights, together: Vec<(String, Sample)>, promises: &Promises) {
        match self.with_weights(weights, &together) {
            Ok(results) => together
                .iter()
                .zip(results)
                .for_each(|((promise, _), bytes)| promises.keep(promise, Kept::Protobuf(bytes))),
            Err(failure) => together.iter().for_each(|(promise, _)| {
                promises.keep(promise, Kept::Failed { error: failure.error.clone(), by_client: failure.by_client });
            }),
        }
    }

    /// Samples from some weights, and has those in training back afterwards.
    fn with_weights(&mut self, weights: &Weights, together: &[(String, Sample)]) -> Result<Vec<Vec<u8>>, Failure> {
        let directory = match weights {
            Weights::Base => self.base.clone(),
            Weights::In(directory) => directory.clone(),
        };
        if self.saved.contains(&directory) {
            return self.sample_now(together);
        }
        if self.has_gradient {
            return by_client(
                "these weights are not those in training, whose gradient would be lost; take the step first",
            );
        }
        self.engine.save(&self.swap, true)?;
        self.engine.load(&directory)?;
        let results = self.sample_now(together);
        self.engine.load(&self.swap)?;
        results
    }

    fn sample_now(&mut self, together: &[(String, Sample)]) -> Result<Vec<Vec<u8>>, Failure> {
        let queue = Queue::of(together);
        self.engine.sample(&queue)?;
        let mut sampled = queue.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut next = 0;
        let mut results = Vec::new();
        for (_, sample) in together {
            let ids = next..next + sample.count;
            next = ids.end;
            let sequences: Vec<Sequence> = ids.filter_map(|id| sampled.remove(&id)).map(sequence).collect();
            if sequences.len() as u64 != sample.count {
                return Err(Failure { error: "the engine lost a sample".to_owned(), by_client: false });
            }
            let prompt = sample.prompt_logprobs.then(|| self.prompt_logprobs(&sample.prompt)).transpose()?;
            results.push(encode_sequences(&sequences, prompt.as_deref()));
        }
        Ok(results)
    }

    /// The first id has nothing before it.
    fn prompt_logprobs(&mut self, prompt: &[u32]) -> Result<Vec<f32>, EngineError> {
        let mut logprobs = vec![f32::NAN];
        if prompt.len() > 1 {
            let count = prompt.len() - 1;
            let datum = Datum {
                ids: prompt.to_vec(),
                weights: vec![1.0; count],
                old_logprobs: vec![0.0; count],
                advantages: vec![0.0; count],
            };
            logprobs.extend(self.engine.forward(&[datum])?.remove(0));
        }
        Ok(logprobs)
    }
}

fn sequence(sampled: Sampled) -> Sequence {
    Sequence { tokens: sampled.tokens, logprobs: sampled.logprobs, is_cut: !sampled.stopped }
}

fn nll(datum: &Datum, logprobs: &[f32]) -> f64 {
    datum.weights.iter().zip(logprobs).map(|(weight, logprob)| -f64::from(weight * logprob)).sum()
}

fn loss(asked: &proto::Request) -> Result<Loss, Failure> {
    let bound = |name: &str, default: f64| asked.config.get(name).copied().unwrap_or(default) as f32;
    match asked.loss_fn.as_str() {
        "cross_entropy" => Ok(Loss::CrossEntropy),
        "importance_sampling" => Ok(Loss::ClippedRatio { low: 0.0, high: f32::INFINITY }),
        "ppo" => {
            Ok(Loss::ClippedRatio { low: bound("clip_low_threshold", 0.8), high: bound("clip_high_threshold", 1.2) })
        }
        "cispo" => Ok(Loss::Cispo { low: bound("clip_low_threshold", 0.0), high: bound("clip_high_threshold", 4.0) }),
        other => by_client(format!(
            "`loss_fn` `{other}` is not understood; there are `cross_entropy`, `importance_sampling`, `ppo` and `cispo`"
        )),
    }
}

/// The datum as one sequence: the input, and the last target behind it.
fn datum_of(datum: &proto::Datum, loss: Loss) -> Result<Datum, Failure> {
    let length = datum.tokens.len();
    let floats = |name: &str| match datum.inputs.get(name) {
        Some(Tensor::Floats(values)) if values.len() == length => Ok(Some(values.clone())),
        Some(_) => by_client(format!("`{name}` is no float32 of {length} values, as many as the input has tokens")),
        None => Ok(None),
    };
    let needed = |name: &str| floats(name)?.map_or_else(|| by_client(format!("`loss_fn_inputs` has no `{name}`")), Ok);
    let Some(Tensor::Integers(targets)) = datum.inputs.get("target_tokens").filter(|_| length > 0) else {
        return by_client("`loss_fn_inputs` has no `target_tokens` of int64, or the input is empty");
    };
    let follows = |(at, target): (usize, &i64)| at + 1 == length || i64::from(datum.tokens[at + 1]) == *target;
    if targets.len() != length || !targets.iter().enumerate().all(follows) {
        return by_client("`target_tokens` must be the input shifted by one: this engine predicts the next token");
    }
    let last =
        u32::try_from(targets[length - 1]).or_else(|_| by_client("`target_tokens` has something that is no id"))?;
    let ids = datum.tokens.iter().copied().chain([last]).collect();
    let weights = floats("weights")?.unwrap_or_else(|| vec![1.0; length]);
    let (old_logprobs, advantages) = match loss {
        Loss::CrossEntropy => (vec![0.0; length], vec![0.0; length]),
        Loss::ClippedRatio { .. } | Loss::Cispo { .. } => (needed("logprobs")?, needed("advantages")?),
    };
    Ok(Datum { ids, weights, old_logprobs, advantages })
}

/// Samples that are taken together; nothing comes later.
struct Queue {
    waiting: Mutex<VecDeque<SampleRequest>>,
    done: Mutex<HashMap<u64, Sampled>>,
}

impl Queue {
    fn of(together: &[(String, Sample)]) -> Self {
        let all = together.iter().flat_map(|(_, sample)| (0..sample.count).map(move |at| (at, sample)));
        let request = |(id, (at, sample)): (usize, (u64, &Sample))| SampleRequest {
            id: id as u64,
            prompt: sample.prompt.clone(),
            session: id as u64,
            last: true,
            max_tokens: sample.max_tokens,
            temperature: sample.temperature,
            stop: sample.stop.clone(),
            seed: sample.seed.wrapping_add(at),
        };
        Self { waiting: Mutex::new(all.enumerate().map(request).collect()), done: Mutex::default() }
    }
}

impl SampleQueue for Queue {
    fn next(&self, _wait: bool) -> Next {
        let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.map_or(Next::Closed, Next::Request)
    }

    fn finish(&self, id: u64, sampled: Sampled) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sampled);
    }
}
