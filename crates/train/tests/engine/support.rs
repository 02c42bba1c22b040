//! Engines, data, queues and gradients for the tests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use basis_train::engines::local::{Config, Local};
use basis_train::engines::{
    AdamW, Datum, Engine, Lora, Loss, NAMES, Next, Options, SampleQueue, SampleRequest, Sampled, available, open,
    open_with,
};

/// Values of every tensor of a model, by name.
pub(crate) type Tensors = BTreeMap<String, Vec<f32>>;

/// A directory that `tests/parity/make.py` made.
pub(crate) fn parity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity").join(name)
}

/// The directory of the committed model in fp32.
pub(crate) fn fixture() -> PathBuf {
    parity("tied")
}

/// The engines of this build that find what they need on this machine.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(|name| match available(name) {
        Ok(()) => true,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            false
        }
    })
}

/// Runs a check on each engine, opened on the committed model.
pub(crate) fn each_engine(threads: usize, check: impl Fn(Box<dyn Engine>)) {
    each_engine_on(&fixture(), threads, check);
}

/// Runs a check on each engine, opened on this model.
pub(crate) fn each_engine_on(dir: &Path, threads: usize, check: impl Fn(Box<dyn Engine>)) {
    for name in names() {
        check(open(name, dir, threads).expect("the model opens"));
    }
}

/// Runs a check on each engine with these options.
pub(crate) fn each_engine_with(dir: &Path, options: &Options, check: impl Fn(Box<dyn Engine>)) {
    for name in names() {
        check(open_with(name, dir, options).expect("the model opens"));
    }
}

/// Checks that an engine samples the same, whatever else is in the batch: `local` exactly, others up to rounding.
pub(crate) fn assert_alike(engine: &dyn Engine, found: &Sampled, expected: &Sampled) {
    if engine.info().engine == "local" {
        return assert_eq!(found, expected);
    }
    assert_eq!((&found.tokens, found.stopped), (&expected.tokens, expected.stopped));
    let close = |(found, expected): (&f32, &f32)| (found - expected).abs() < 1e-4;
    assert!(found.logprobs.iter().zip(&expected.logprobs).all(close));
}

/// Sizes that divide by nothing that a vector has, with an output matrix of its own.
pub(crate) fn odd_config() -> Config {
    Config {
        vocab_size: 37,
        hidden_size: 20,
        intermediate_size: 27,
        num_hidden_layers: 3,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 10,
        max_position_embeddings: 200,
        rms_norm_eps: 1e-5,
        rope_theta: 500.0,
        tie_word_embeddings: false,
        text_ids: Default::default(),
    }
}

/// Options that train adapters of this rank.
pub(crate) fn lora(rank: usize, targets: &[&str]) -> Options {
    let targets = targets.iter().map(|&target| target.to_owned()).collect();
    Options { threads: 2, lora: Some(Lora { rank, alpha: 6.0, targets }), ..Options::default() }
}

/// Writes a fresh model of these sizes.
pub(crate) fn fresh(config: Config, dir: &Path) {
    Local::create(config, 7, 1).unwrap().save(dir, false).unwrap();
}

/// Reproducible numbers from 0 to below `bound`.
pub(crate) fn numbers(seed: u64, bound: u32) -> impl FnMut() -> u32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % u64::from(bound)) as u32
    }
}

/// Sequences of these lengths with weights (a third of them zero), advantages and old log-probabilities.
pub(crate) fn data(lengths: &[usize], vocab: usize) -> Vec<Datum> {
    let datum = |(index, &length): (usize, &usize)| {
        let mut number = numbers(index as u64, 1 << 20);
        let targets = length - 1;
        Datum {
            ids: (0..length).map(|_| number() % vocab as u32).collect(),
            weights: (0..targets)
                .map(|at| if at % 3 == 1 { 0.0 } else { 0.2 + (number() % 100) as f32 / 100.0 })
                .collect(),
            old_logprobs: (0..targets).map(|_| -(vocab as f32).ln() - 0.6 + (number() % 100) as f32 / 80.0).collect(),
            advantages: (0..targets).map(|_| (number() % 100) as f32 / 50.0 - 1.0).collect(),
        }
    };
    lengths.iter().enumerate().map(datum).collect()
}

/// A step from whose effect the gradient can be told: the update is `g / (|g| + 1)`.
const TELLING: AdamW =
    AdamW { learning_rate: 1.0, beta1: 0.0, beta2: 0.0, epsilon: 1.0, weight_decay: 0.0, max_grad_norm: 0.0 };

/// The gradient of the loss by every tensor; the engine's weights stay as they are.
pub(crate) fn gradient(engine: &mut dyn Engine, batch: &[Datum], loss: Loss) -> Tensors {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    engine.save(&before, true).unwrap();
    engine.forward_backward(batch, loss).unwrap();
    engine.optim_step(&TELLING).unwrap();
    engine.save(&after, false).unwrap();
    engine.load(&before).unwrap();
    let after = tensors(&after);
    let telling = |(name, before): (String, Vec<f32>)| {
        let pairs = before.iter().zip(&after[&name]);
        let gradient = pairs.map(|(before, after)| {
            let update = f64::from(*before) - f64::from(*after);
            (update / (1.0 - update.abs())) as f32
        });
        let gradient = gradient.collect();
        (name, gradient)
    };
    tensors(&before).into_iter().map(telling).collect()
}

/// The file with what is trained.
fn trained(dir: &Path) -> PathBuf {
    let adapters = dir.join("adapter_model.safetensors");
    if adapters.exists() { adapters } else { dir.join("model.safetensors") }
}

/// Reads the weights of a directory, or its adapters.
pub(crate) fn tensors(dir: &Path) -> Tensors {
    let bytes = std::fs::read(trained(dir)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    file.iter().map(|(name, view)| (name.to_owned(), values(view.data()))).collect()
}

/// Overwrites one tensor of a directory.
pub(crate) fn overwrite(dir: &Path, name: &str, values: &[f32]) {
    let path = trained(dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let begin = file.tensor(name).unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize;
    for (place, value) in bytes[begin..].chunks_exact_mut(4).zip(values) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

/// Of each tensor the norm of the difference, relative to its norm.
pub(crate) fn assert_close(found: &Tensors, expected: &Tensors, tolerance: f64) {
    assert!(found.keys().eq(expected.keys()));
    for (name, expected) in expected {
        let pairs = found[name].iter().zip(expected);
        let error = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let norm = expected.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        assert!(error <= tolerance * norm, "{name}: {error} of {norm}");
    }
}

/// A request with plain settings.
pub(crate) fn request(id: u64, prompt: Vec<u32>, max_tokens: usize) -> SampleRequest {
    SampleRequest {
        id,
        prompt,
        session: id,
        last: true,
        max_tokens,
        temperature: 1.0,
        stop: Vec::new(),
        seed: 1000 + id,
    }
}

/// What comes after a finished request.
pub(crate) type Follow<'a> = dyn Fn(u64, &Sampled) -> Option<SampleRequest> + Sync + 'a;

/// Serves all requests, and those that `follow` makes of finished ones; results by id.
pub(crate) fn sample(engine: &mut dyn Engine, requests: Vec<SampleRequest>, follow: &Follow) -> HashMap<u64, Sampled> {
    let state = State { open: requests.len(), waiting: requests.into(), results: HashMap::new() };
    let queue = Queue { state: Mutex::new(state), changed: std::sync::Condvar::new(), follow };
    engine.sample(&queue).unwrap();
    queue.state.into_inner().unwrap().results
}

/// Serves all requests.
pub(crate) fn sample_all(engine: &mut dyn Engine, requests: Vec<SampleRequest>) -> HashMap<u64, Sampled> {
    sample(engine, requests, &|_, _| None)
}

struct Queue<'a> {
    state: Mutex<State>,
    changed: std::sync::Condvar,
    follow: &'a Follow<'a>,
}

struct State {
    waiting: VecDeque<SampleRequest>,
    open: usize,
    results: HashMap<u64, Sampled>,
}

impl SampleQueue for Queue<'_> {
    fn next(&self, wait: bool) -> Next {
        let mut state = self.state.lock().unwrap();
        loop {
            match state.waiting.pop_front() {
                Some(request) => return Next::Request(request),
                None if state.open == 0 => return Next::Closed,
                None if !wait => return Next::Empty,
                None => state = self.changed.wait(state).unwrap(),
            }
        }
    }

    fn finish(&self, id: u64, sampled: Sampled) {
        let next = (self.follow)(id, &sampled);
        let mut state = self.state.lock().unwrap();
        state.open -= usize::from(next.is_none());
        state.waiting.extend(next);
        assert!(state.results.insert(id, sampled).is_none(), "request {id} was finished twice");
        self.changed.notify_all();
    }
}
