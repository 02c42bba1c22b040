//! The engine itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TinkerConfig;
use super::heartbeat::Heartbeat;
use super::profile::{Reduction, grad_norm, probe};
use super::proto::{self, Output, Request, Sequence, Tensor, decode_sequences};
use super::transport::{Kept, Notice, Sent, Transport, remote};
use crate::engines::loss::Sample;
use crate::engines::{
    AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, Next, SampleQueue, SampleRequest, Sampled,
    StepStats,
};

/// Written into the directory of a checkpoint instead of weights, which stay where they are.
const FILE: &str = "tinker.json";
const VERSION: u32 = 1;
/// What one request may hold.
const MOST_DATA: usize = 1024;
const MOST_BYTES: usize = 5_000_000;

/// See the module above.
pub struct Tinker {
    transport: Arc<Transport>,
    config: TinkerConfig,
    session: String,
    model: String,
    /// The number of the next request of the model; saving does not need the engine for itself.
    next: Mutex<u64>,
    models: u64,
    samplers: AtomicU64,
    /// The sampler of the present weights, once it was needed.
    sampler: Option<String>,
    reduction: Reduction,
    info: Info,
    _heartbeat: Heartbeat,
}

/// [`FILE`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    base_model: String,
    path: String,
    weight_version: u64,
}

impl Tinker {
    /// Opens a session with a fresh model.
    ///
    /// # Errors
    /// [`EngineError::Remote`] with the endpoint and the next step.
    pub fn open(config: &TinkerConfig, notice: Notice) -> Result<Self, EngineError> {
        let transport = Arc::new(Transport::new(config, notice)?);
        let offered = transport.get("get_server_capabilities")?;
        let (base_model, context) = chosen(&offered, config)?;
        let config = TinkerConfig { base_model: Some(base_model), ..config.clone() };
        let hello = json!({"tags": ["basis"], "user_metadata": {}, "sdk_version": "0.25.0", "type": "create_session"});
        let answer = transport.post("create_session", &Sent::Json(&hello))?;
        let session = text(&answer, "session_id", "create_session")?;
        let heartbeat = Heartbeat::start(transport.clone(), session.clone());
        let info = Info { engine: "tinker", parameters: 0, vocab: config.vocab, context, weight_version: 0 };
        let mut engine = Self {
            transport,
            config,
            session,
            model: String::new(),
            next: Mutex::new(1),
            models: 0,
            samplers: AtomicU64::new(0),
            sampler: None,
            reduction: Reduction::Sum,
            info,
            _heartbeat: heartbeat,
        };
        engine.begin()?;
        engine.reduction = engine.probe()?;
        // The probe leaves traces in the optimiser.
        engine.unload();
        engine.begin()?;
        Ok(engine)
    }

    /// How the server sums losses.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// A fresh model.
    fn begin(&mut self) -> Result<(), EngineError> {
        let body = json!({"session_id": self.session, "model_seq_id": self.models, "base_model": self.config.base_model,
            "lora_config": {"rank": self.config.rank, "seed": 0, "train_unembed": true, "train_mlp": true, "train_attn": true},
            "user_metadata": {}, "type": "create_model"});
        self.models += 1;
        let made = self.transport.call("create_model", &Sent::Json(&body))?;
        self.model = text(&json_of(made, "create_model")?, "model_id", "create_model")?;
        (self.sampler, self.info.weight_version) = (None, 0);
        *lock(&self.next) = 1;
        Ok(())
    }

    /// Gives the model back, so that a server with few places has one for the next. Servers that cannot do this take it back by themselves
    /// when the session falls silent.
    fn unload(&self) {
        if !self.model.is_empty() {
            let body = json!({"model_id": self.model, "type": "unload_model"});
            self.transport.tell("unload_model", &Sent::Json(&body));
        }
    }

    /// Two steps that move nothing.
    fn probe(&mut self) -> Result<Reduction, EngineError> {
        let mut norm = |copies: usize| -> Result<Option<f64>, EngineError> {
            let data = vec![probe(self.config.vocab); copies];
            self.send(data, "cross_entropy", BTreeMap::new(), false)?;
            let still = AdamW {
                learning_rate: 0.0,
                beta1: 0.9,
                beta2: 0.95,
                epsilon: 1e-8,
                weight_decay: 0.0,
                max_grad_norm: 0.0,
            };
            Ok(grad_norm(&self.step(&still)?))
        };
        let (once, twice) = (norm(1)?, norm(2)?);
        // Who does not tell norms is taken for the service that the protocol comes from.
        Ok(once.zip(twice).map_or(Reduction::Sum, |(once, twice)| Reduction::of_norms(once, twice)))
    }

    fn step(&mut self, step: &AdamW) -> Result<BTreeMap<String, f64>, EngineError> {
        let adam = json!({"learning_rate": step.learning_rate, "beta1": step.beta1, "beta2": step.beta2, "eps": step.epsilon,
            "weight_decay": step.weight_decay, "grad_clip_norm": step.max_grad_norm});
        let body = json!({"model_id": self.model, "seq_id": self.number(), "type": "optim_step", "adam_params": adam});
        let done = json_of(self.transport.call("optim_step", &Sent::Json(&body))?, "optim_step")?;
        let metrics = done["metrics"].as_object().into_iter().flatten();
        Ok(metrics.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect())
    }

    /// Posts data in pieces, in order, and waits for all of them.
    fn send(
        &mut self,
        data: Vec<proto::Datum>,
        loss: &str,
        config: BTreeMap<String, f64>,
        forward_only: bool,
    ) -> Result<Output, EngineError> {
        let mut promises = Vec::new();
        for piece in pieces(data) {
            let request = Request {
                model_id: self.model.clone(),
                seq_id: self.number(),
                data: piece,
                loss_fn: loss.to_owned(),
                config: config.clone(),
                forward_only,
            };
            promises.push(self.transport.promise("forward_backward", &Sent::Protobuf(&request.encode()))?);
        }
        let mut whole = Output::default();
        for promise in promises {
            let output = match self.transport.wait(&promise, "forward_backward")? {
                Kept::Protobuf(bytes) => Output::decode(&bytes).map_err(nonsense)?,
                Kept::Json(value) => output_of_json(&value),
            };
            whole.logprobs.extend(output.logprobs);
            output.metrics.into_iter().for_each(|(name, value)| *whole.metrics.entry(name).or_default() += value);
        }
        Ok(whole)
    }

    fn number(&self) -> u64 {
        let mut next = lock(&self.next);
        *next += 1;
        *next - 1
    }

    /// The log-probabilities of each datum's targets, as many as it has.
    fn checked(&self, output: Output, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        let lengths = || output.logprobs.iter().map(Vec::len).zip(batch.iter().map(|datum| datum.ids.len() - 1));
        match output.logprobs.len() == batch.len() && lengths().all(|(found, expected)| found == expected) {
            true => Ok(output.logprobs),
            false => Err(nonsense(format!(
                "{} datums were sent, log-probabilities of {} came back, or of other lengths",
                batch.len(),
                output.logprobs.len()
            ))),
        }
    }

    fn check_lengths(&self, batch: &[Datum]) -> Result<(), EngineError> {
        let context = self.info.context;
        match batch.iter().map(|datum| datum.ids.len()).find(|length| *length > context || *length < 2) {
            Some(length) if length > context => Err(EngineError::TooLong { length, context }),
            Some(_) => Err(EngineError::Invalid { reason: "a sequence has no target; it needs two ids".to_owned() }),
            None => Ok(()),
        }
    }

    /// The inputs of a loss, such that its gradient is that of the sum over targets with their weights, up to a factor that all share.
    fn inputs(&self, datum: &Datum, loss: Loss) -> BTreeMap<String, Tensor> {
        let targets = Tensor::Integers(datum.ids[1..].iter().map(|id| i64::from(*id)).collect());
        let mut inputs = vec![("target_tokens", targets)];
        match loss {
            Loss::CrossEntropy => inputs.push(("weights", Tensor::Floats(datum.weights.clone()))),
            Loss::ClippedRatio { .. } | Loss::Cispo { .. } => {
                let counted = datum.weights.iter().filter(|weight| **weight != 0.0).count() as f32;
                let scale = if self.reduction == Reduction::Sum { 1.0 } else { counted };
                let advantages =
                    datum.weights.iter().zip(&datum.advantages).map(|(weight, advantage)| weight * advantage * scale);
                inputs.push(("advantages", Tensor::Floats(advantages.collect())));
                inputs.push(("logprobs", Tensor::Floats(datum.old_logprobs.clone())));
                if self.reduction == Reduction::SequenceMean {
                    let mask = datum.weights.iter().map(|weight| f32::from(*weight != 0.0)).collect();
                    inputs.push(("weights", Tensor::Floats(mask)));
                }
            }
        }
        inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect()
    }

    /// The sampler of the present weights.
    fn sampler(&mut self) -> Result<String, EngineError> {
        if let Some(sampler) = &self.sampler {
            return Ok(sampler.clone());
        }
        let number = self.samplers.fetch_add(1, Ordering::Relaxed);
        let body = json!({"model_id": self.model, "sampling_session_seq_id": number, "kind": "snapshot",
            "seq_id": self.number(), "type": "save_weights_for_sampler"});
        let saved = self.transport.call("save_weights_for_sampler", &Sent::Json(&body))?;
        let sampler =
            text(&json_of(saved, "save_weights_for_sampler")?, "sampling_session_id", "save_weights_for_sampler")?;
        self.sampler = Some(sampler.clone());
        Ok(sampler)
    }

    fn sample_one(&self, sampler: &str, number: u64, request: &SampleRequest) -> Result<Sampled, EngineError> {
        let room = self.info.context.saturating_sub(request.prompt.len());
        if room == 0 || request.max_tokens == 0 {
            return Ok(Sampled { tokens: Vec::new(), logprobs: Vec::new(), stopped: false });
        }
        // Seeds are signed numbers of 32 bits to some servers.
        let parameters = json!({"max_tokens": request.max_tokens.min(room), "temperature": request.temperature, "top_k": -1,
            "top_p": 1.0, "seed": request.seed >> 33, "stop": request.stop});
        let body = json!({"sampling_session_id": sampler, "seq_id": number, "num_samples": 1, "type": "sample",
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": request.prompt}]}, "sampling_params": parameters});
        let sequences = match self.transport.call("asample", &Sent::Json(&body))? {
            Kept::Protobuf(bytes) => decode_sequences(&bytes).map_err(nonsense)?,
            Kept::Json(value) => value["sequences"].as_array().into_iter().flatten().map(sequence_of_json).collect(),
        };
        let [Sequence { tokens, logprobs, is_cut }] = &sequences[..] else {
            return Err(nonsense(format!("one sample was asked for, {} came back", sequences.len())));
        };
        if tokens.len() != logprobs.len() || logprobs.iter().any(|logprob| !logprob.is_finite()) {
            return Err(nonsense(format!(
                "{} ids came with {} log-probabilities, or some are no numbers",
                tokens.len(),
                logprobs.len()
            )));
        }
        Ok(Sampled { tokens: tokens.clone(), logprobs: logprobs.clone(), stopped: !is_cut })
    }
}

impl Drop for Tinker {
    fn drop(&mut self) {
        self.unload();
    }
}

impl Engine for Tinker {
    fn info(&self) -> Info {
        self.info.clone()
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        let sampler = self.sampler()?;
        let (engine, flow) = (&*self, Flow::default());
        std::thread::scope(|scope| {
            let mut number = 0;
            loop {
                let running = flow.running();
                if flow.has_failed() || running >= engine.config.concurrency {
                    if running == 0 {
                        return flow.outcome();
                    }
                    flow.glance();
                    continue;
                }
                match queue.next(running == 0) {
                    Next::Closed => break,
                    Next::Empty => flow.glance(),
                    Next::Request(request) => {
                        flow.begin();
                        let (flow, sampler, own) = (&flow, &sampler, number);
                        number += 1;
                        scope.spawn(move || {
                            let sampled = engine.sample_one(sampler, own, &request);
                            flow.end(sampled.map(|sampled| queue.finish(request.id, sampled)));
                        });
                    }
                }
            }
            while flow.running() > 0 {
                flow.glance();
            }
            flow.outcome()
        })
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        self.check_lengths(batch)?;
        if batch.is_empty() {
            return Ok(ForwardBackward::default());
        }
        let data = batch.iter().map(|datum| wire(datum, self.inputs(datum, loss))).collect();
        let (name, config) = match loss {
            Loss::CrossEntropy => ("cross_entropy", BTreeMap::new()),
            Loss::ClippedRatio { low: 0.0, high: f32::INFINITY } => ("importance_sampling", BTreeMap::new()),
            Loss::ClippedRatio { low, high } => ("ppo", bounds(low, high)),
            Loss::Cispo { low, high } => ("cispo", bounds(low, high)),
        };
        let output = self.send(data, name, config, false)?;
        let logprobs = self.checked(output, batch)?;
        Ok(seen(batch, &logprobs, loss))
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.check_lengths(batch)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let whole = |datum: &Datum| Datum { weights: vec![1.0; datum.ids.len() - 1], ..datum.clone() };
        let data = batch.iter().map(|datum| wire(datum, self.inputs(&whole(datum), Loss::CrossEntropy))).collect();
        let output = self.send(data, "cross_entropy", BTreeMap::new(), true)?;
        self.checked(output, batch)
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        let metrics = self.step(step)?;
        self.sampler = None;
        self.info.weight_version += 1;
        Ok(StepStats { grad_norm: grad_norm(&metrics).unwrap_or_default(), weight_version: self.info.weight_version })
    }

    /// What a server keeps always has the optimiser's state.
    fn save(&self, dir: &Path, _with_optimizer: bool) -> Result<(), EngineError> {
        // The same name again is the same weights: a step has passed in between otherwise.
        let name = format!("basis-{}-{}", self.info.weight_version, *lock(&self.next));
        let body = json!({"model_id": self.model, "path": name, "seq_id": self.number(), "type": "save_weights"});
        let saved = json_of(self.transport.call("save_weights", &Sent::Json(&body))?, "save_weights")?;
        let saved = Saved {
            version: VERSION,
            base_model: self.config.base_model.clone().unwrap_or_default(),
            path: text(&saved, "path", "save_weights")?,
            weight_version: self.info.weight_version,
        };
        let file = dir.join(FILE);
        let bytes = serde_json::to_vec(&saved).expect("it has only string keys");
        std::fs::write(&file, bytes).map_err(|source| EngineError::Io { path: file, source })
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        let file = dir.join(FILE);
        let damaged = |reason: String| EngineError::Damaged { path: file.clone(), reason };
        let bytes = std::fs::read(&file).map_err(|error| damaged(error.to_string()))?;
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if saved.version > VERSION {
            return Err(damaged(format!("version {} is newer than {VERSION}; update this program", saved.version)));
        }
        if Some(&saved.base_model) != self.config.base_model.as_ref() {
            let offered = self.config.base_model.as_deref().unwrap_or_default();
            return Err(damaged(format!("it was trained from `{}`, the server offers `{offered}`", saved.base_model)));
        }
        self.unload();
        self.begin()?;
        let body = json!({"model_id": self.model, "seq_id": self.number(), "path": saved.path, "optimizer": true, "type": "load_weights"});
        self.transport.call("load_weights", &Sent::Json(&body))?;
        self.info.weight_version = saved.weight_version;
        Ok(())
    }
}

/// How many samples are on their way, and the first failure.
#[derive(Default)]
struct Flow {
    state: Mutex<(usize, Option<EngineError>)>,
    changed: Condvar,
}

impl Flow {
    fn running(&self) -> usize {
        lock(&self.state).0
    }

    fn has_failed(&self) -> bool {
        lock(&self.state).1.is_some()
    }

    fn begin(&self) {
        lock(&self.state).0 += 1;
    }

    fn end(&self, outcome: Result<(), EngineError>) {
        let mut state = lock(&self.state);
        state.0 -= 1;
        if let Err(error) = outcome {
            state.1.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    /// Waits until something ended, or a moment, in which requests may have come.
    fn glance(&self) {
        let _ = self.changed.wait_timeout(lock(&self.state), Duration::from_millis(5));
    }

    fn outcome(&self) -> Result<(), EngineError> {
        lock(&self.state).1.take().map_or(Ok(()), Err)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The model to begin with, and its context.
fn chosen(offered: &Value, config: &TinkerConfig) -> Result<(String, usize), EngineError> {
    let models = offered["supported_models"].as_array().cloned().unwrap_or_default();
    let name = |model: &Value| model["model_name"].as_str().unwrap_or_default().to_owned();
    let names = || models.iter().map(|model| format!("`{}`", name(model))).collect::<Vec<_>>().join(", ");
    let model = match &config.base_model {
        None => models.first().cloned().ok_or_else(|| remote("the server offers no model; name one".to_owned()))?,
        Some(wanted) => models
            .iter()
            .find(|model| name(model) == *wanted)
            .cloned()
            .ok_or_else(|| remote(format!("the server has no model `{wanted}`; it offers {}", names())))?,
    };
    let context = model["max_context_length"].as_u64().map_or(config.context, |context| context as usize);
    Ok((name(&model), context))
}

/// Data in pieces that servers take.
fn pieces(data: Vec<proto::Datum>) -> Vec<Vec<proto::Datum>> {
    let size = |datum: &proto::Datum| {
        let tensors = datum.inputs.values().map(|tensor| match tensor {
            Tensor::Floats(values) => 4 * values.len(),
            Tensor::Integers(values) => 8 * values.len(),
        });
        4 * datum.tokens.len() + tensors.sum::<usize>()
    };
    let mut pieces: Vec<Vec<proto::Datum>> = Vec::new();
    let mut bytes = 0;
    for datum in data {
        let own = size(&datum);
        match pieces.last_mut().filter(|piece| piece.len() < MOST_DATA && bytes + own <= MOST_BYTES) {
            Some(piece) => {
                bytes += own;
                piece.push(datum);
            }
            None => {
                bytes = own;
                pieces.push(vec![datum]);
            }
        }
    }
    pieces
}

fn wire(datum: &Datum, inputs: BTreeMap<String, Tensor>) -> proto::Datum {
    proto::Datum { tokens: datum.ids[..datum.ids.len() - 1].to_vec(), inputs }
}

/// The numbers of a backward pass, from the log-probabilities before it. The entropy is estimated by what was sampled.
fn seen(batch: &[Datum], logprobs: &[Vec<f32>], loss: Loss) -> ForwardBackward {
    let mut seen = ForwardBackward::default();
    for (datum, own) in batch.iter().zip(logprobs) {
        for (at, logprob) in own.iter().enumerate() {
            let weight = f64::from(datum.weights[at]);
            if weight == 0.0 {
                continue;
            }
            let old_logprob = datum.old_logprobs[at];
            let term = loss.term(Sample { logprob: *logprob, old_logprob, advantage: datum.advantages[at] });
            seen.weight += weight;
            seen.targets += 1;
            seen.entropy -= f64::from(*logprob);
            seen.loss += weight * f64::from(term.loss);
            seen.clipped += usize::from(term.clipped);
            if loss.compares() {
                let change = f64::from(logprob - old_logprob);
                seen.kl += change.exp() - 1.0 - change;
            }
        }
    }
    seen
}

/// Both bounds of the ratio: defaults differ between servers.
fn bounds(low: f32, high: f32) -> BTreeMap<String, f64> {
    [("clip_low_threshold", low), ("clip_high_threshold", high)]
        .map(|(name, bound)| (name.to_owned(), f64::from(bound)))
        .into()
}

fn output_of_json(value: &Value) -> Output {
    let numbers =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(|it| Some(it.as_f64()? as f32)).collect();
    let metrics = value["metrics"].as_object().into_iter().flatten();
    Output {
        logprobs: value["loss_fn_outputs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| numbers(&it["logprobs"]["data"]))
            .collect(),
        metrics: metrics.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect(),
    }
}

fn sequence_of_json(value: &Value) -> Sequence {
    let numbers = value["logprobs"].as_array().into_iter().flatten();
    let ids = value["tokens"].as_array().into_iter().flatten();
    Sequence {
        tokens: ids.filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect(),
        logprobs: numbers.filter_map(|it| Some(it.as_f64()? as f32)).collect(),
        is_cut: value["stop_reason"] == "length",
    }
}

fn json_of(kept: Kept, what: &str) -> Result<Value, EngineError> {
    match kept {
        Kept::Json(value) => Ok(value),
        Kept::Protobuf(_) => Err(nonsense(format!("`{what}` was answered in binary form"))),
    }
}

fn text(value: &Value, field: &str, what: &str) -> Result<String, EngineError> {
    value[field].as_str().map(str::to_owned).ok_or_else(|| nonsense(format!("`{what}` was answered without `{field}`")))
}

fn nonsense(reason: impl std::fmt::Display) -> EngineError {
    remote(format!("the server breaks the protocol: {reason}; it may be of another version"))
}
