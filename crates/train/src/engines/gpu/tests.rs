//! What is computed piece by piece is what is computed at once. That it is right at all, `tests/engine` checks.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use super::super::{AdamW, Datum, Engine, EngineError, Loss, Next, Options, SampleQueue, SampleRequest, Sampled};
use super::Gpu;
use super::limits::Limits;

/// Everything in several pieces.
const SMALL: Limits = Limits { training_ids: 40, logits: 640, prompt_ids: 24, sequences: 3, cache_bytes: 1 << 20 };

/// The committed model; nothing where this machine lacks the device.
fn open(limits: Limits) -> Option<Gpu> {
    super::available().ok()?;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/tied");
    let mut gpu = Gpu::open_with(&dir, &Options::default()).expect("the committed model opens");
    gpu.limits = limits;
    Some(gpu)
}

fn data() -> Vec<Datum> {
    let datum = |length: &usize| Datum {
        ids: (0..*length as u32).map(|at| (at * at + 7 * *length as u32) % 64).collect(),
        weights: (1..*length).map(|at| if at % 4 == 0 { 0.0 } else { 0.5 }).collect(),
        ..Datum::default()
    };
    [9, 30, 70, 2, 25].iter().map(datum).collect()
}

/// Loss, norm of the gradient, log-probabilities.
fn computed(mut gpu: Gpu) -> (f64, f64, Vec<f32>) {
    let logprobs = gpu.forward(&data()).expect("data fit").concat();
    let seen = gpu.forward_backward(&data(), Loss::CrossEntropy).expect("data fit");
    let (beta1, beta2, epsilon) = (0.9, 0.95, 1e-8);
    let step = AdamW { learning_rate: 0.0, beta1, beta2, epsilon, weight_decay: 0.0, max_grad_norm: 0.0 };
    (seen.loss, gpu.optim_step(&step).expect("the gradient is finite").grad_norm, logprobs)
}

#[test]
fn training_in_pieces_gives_what_training_at_once_gives() {
    let (Some(whole), Some(pieces)) = (open(Limits::default()), open(SMALL)) else { return };
    let (whole, pieces) = (computed(whole), computed(pieces));
    assert!((pieces.0 / whole.0 - 1.0).abs() < 1e-5 && (pieces.1 / whole.1 - 1.0).abs() < 1e-5);
    assert!(whole.2.iter().zip(&pieces.2).all(|(whole, piece)| (whole - piece).abs() < 1e-5));
}

/// Hands out a request at every third call, so that they join while others are being sampled.
#[derive(Default)]
struct Trickle(Mutex<Trickled>);

#[derive(Default)]
struct Trickled {
    waiting: VecDeque<SampleRequest>,
    results: BTreeMap<u64, Sampled>,
    calls: usize,
}

impl SampleQueue for Trickle {
    fn next(&self, wait: bool) -> Next {
        let mut state = self.0.lock().expect("nobody panics");
        state.calls += 1;
        if !wait && !state.calls.is_multiple_of(3) && !state.waiting.is_empty() {
            return Next::Empty;
        }
        state.waiting.pop_front().map_or(Next::Closed, Next::Request)
    }

    fn finish(&self, id: u64, sampled: Sampled) {
        self.0.lock().expect("nobody panics").results.insert(id, sampled);
    }
}

fn sampled(gpu: &mut Gpu, requests: impl IntoIterator<Item = SampleRequest>) -> BTreeMap<u64, Sampled> {
    let state = Trickled { waiting: requests.into_iter().collect(), ..Trickled::default() };
    let queue = Trickle(Mutex::new(state));
    gpu.sample(&queue).expect("requests can be served");
    queue.0.into_inner().expect("nobody panics").results
}

#[test]
fn sequences_that_come_and_go_are_sampled_as_if_alone() {
    let Some(mut gpu) = open(SMALL) else { return };
    let request = |(id, (prompt, max_tokens)): (usize, (usize, usize))| SampleRequest {
        id: id as u64,
        prompt: (0..prompt as u32).map(|at| (3 * at + id as u32) % 64).collect(),
        session: id as u64,
        last: true,
        max_tokens,
        temperature: 0.8,
        stop: vec![5],
        seed: 40 + id as u64,
    };
    let sizes = [(5, 30), (40, 3), (1, 60), (70, 50), (12, 1), (64, 20), (3, 90), (100, 28)];
    let requests: Vec<_> = sizes.into_iter().enumerate().map(request).collect();
    let together = sampled(&mut gpu, requests.clone());
    assert_eq!(together.len(), requests.len());
    gpu.limits = Limits::default();
    for request in requests {
        let id = request.id;
        let alone = &sampled(&mut gpu, [request])[&id];
        assert_eq!((&together[&id].tokens, together[&id].stopped), (&alone.tokens, alone.stopped));
        let pairs = together[&id].logprobs.iter().zip(&alone.logprobs);
        assert!(pairs.into_iter().all(|(together, alone)| (together - alone).abs() < 1e-4));
    }
}

#[test]
fn an_operation_that_fails_is_an_error_in_the_words_of_the_library() {
    let ones = |width| tch::Tensor::ones([2, width], (tch::Kind::Float, tch::Device::Cpu));
    let error = super::device::computing(|| Ok(ones(3).matmul(&ones(5)))).expect_err("shapes differ").to_string();
    assert!(error.starts_with("engine `gpu`: the device failed: mat1 and mat2 shapes cannot be multiplied"), "{error}");
    assert!(!error.contains("\\n") && !error.contains('\n'), "{error}");
    let failing = || -> Result<(), EngineError> { super::device::without_gradients(|| panic!("no memory")) };
    super::device::computing(failing).expect_err("it panics");
    assert!(ones(1).set_requires_grad(true).square().requires_grad(), "gradients are kept afterwards");
}
