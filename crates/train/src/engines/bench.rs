//! How fast an engine is on this machine, on made-up ids: used by `basis bench` and `benches/engine.rs`.
//!
//! On a machine with other work, tokens per second of CPU time say more than tokens per second.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::local::Config;
use super::{AdamW, Datum, Engine, EngineError, Loss, Next, SampleQueue, SampleRequest, Sampled};

/// The step of every measurement.
const STEP: AdamW =
    AdamW { learning_rate: 1e-4, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, max_grad_norm: 1.0 };

/// Tokens per second.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Rate {
    /// Of wall time.
    pub per_second: f64,
    /// Of CPU time of all threads; zero where the system does not tell.
    pub per_cpu_second: f64,
}

/// The model of earlier measurements: 4.1 million parameters, 6 layers of width 256, vocabulary 2048.
pub fn m3() -> Config {
    Config {
        vocab_size: 2048,
        hidden_size: 256,
        intermediate_size: 512,
        num_hidden_layers: 6,
        num_attention_heads: 8,
        num_key_value_heads: 4,
        ..Config::small(2048)
    }
}

/// Training on `sequences` sequences of `length` tokens, all weighted: forward, backward and AdamW. Repeats for about `time`.
///
/// # Errors
/// As the engine's.
pub fn training(engine: &mut dyn Engine, sequences: usize, length: usize, time: Duration) -> Result<Rate, EngineError> {
    let datum = |seed| Datum {
        ids: ids(engine, seed, length),
        weights: vec![1.0 / (sequences * length) as f32; length - 1],
        ..Datum::default()
    };
    let batch: Vec<Datum> = (0..sequences).map(datum).collect();
    train(engine, &batch, time)
}

/// Training on the episodes of 6 tasks, 8 of each: 280 tokens that all of a task have in common, 40 that two have, 52 of its own, of which
/// the last 92 are weighted. With `alike` false they have nothing in common, as if each had been computed by itself.
///
/// # Errors
/// As the engine's.
pub fn groups(engine: &mut dyn Engine, alike: bool, time: Duration) -> Result<Rate, EngineError> {
    let datum = |index: usize| {
        let parts = [ids(engine, index / 8, 280), ids(engine, 100 + index / 2, 40), ids(engine, 200 + index, 52)];
        let mut ids = parts.concat();
        if !alike {
            ids[0] = index as u32;
        }
        let weights = (0..ids.len() - 1).map(|at| if at + 93 > 371 { 1.0 / 4416.0 } else { 0.0 }).collect();
        Datum { ids, weights, ..Datum::default() }
    };
    let batch: Vec<Datum> = (0..48).map(datum).collect();
    train(engine, &batch, time)
}

fn train(engine: &mut dyn Engine, batch: &[Datum], time: Duration) -> Result<Rate, EngineError> {
    let tokens = batch.iter().map(|datum| datum.ids.len()).sum();
    repeat(time, tokens, || {
        engine.forward_backward(batch, Loss::CrossEntropy)?;
        engine.optim_step(&STEP)
    })
}

/// Sampling `tokens` tokens in each of `sessions` sessions at the same time, each after a prompt of its own of `prompt` tokens. Time runs from
/// when each has its first token: reading the prompts is not counted, whether or not the engine remembers what it has read of a session.
///
/// # Errors
/// As the engine's.
pub fn decoding(engine: &mut dyn Engine, sessions: usize, prompt: usize, tokens: usize) -> Result<Rate, EngineError> {
    let waiting = (0..sessions).map(|id| SampleRequest { last: false, ..request(engine, id, prompt, 1) });
    let state = TurnsState { waiting: waiting.collect(), reading: sessions, ..TurnsState::default() };
    let queue = Turns { second: tokens, state: Mutex::new(state), changed: Condvar::new() };
    engine.sample(&queue)?;
    let state = queue.lock();
    let clock = state.clock.as_ref().expect("every session has a token");
    Ok(rate(state.counted, clock.elapsed()))
}

/// Reading `sessions` different prompts of `length` tokens.
///
/// # Errors
/// As the engine's.
pub fn reading(engine: &mut dyn Engine, sessions: usize, length: usize, time: Duration) -> Result<Rate, EngineError> {
    let requests: VecDeque<_> = (0..sessions).map(|id| request(engine, id, length, 1)).collect();
    repeat(time, sessions * length, || engine.sample(&Given(Mutex::new(requests.clone()))))
}

/// Tokens per second of calls with so many tokens, after one call that is not counted.
fn repeat<T>(
    time: Duration,
    tokens: usize,
    mut call: impl FnMut() -> Result<T, EngineError>,
) -> Result<Rate, EngineError> {
    call()?;
    let (start, mut calls) = (Clock::start(), 0);
    while start.wall.elapsed() < time {
        call()?;
        calls += 1;
    }
    Ok(rate(calls * tokens, start.elapsed()))
}

fn rate(tokens: usize, [wall, cpu]: [f64; 2]) -> Rate {
    let per = |seconds: f64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
    Rate { per_second: per(wall), per_cpu_second: per(cpu) }
}

struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), cpu: cpu_seconds() }
    }

    /// Seconds of wall time and of CPU time.
    fn elapsed(&self) -> [f64; 2] {
        [self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu]
    }
}

/// The most memory that this process has held so far, in bytes; zero where the system does not tell.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|size| size.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// CPU time of this process in user mode and in the kernel, in seconds; zero where the system does not tell.
pub fn cpu_seconds() -> f64 {
    // Linux counts in hundredths of a second; the name of the program stands in brackets and may hold anything.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn request(engine: &dyn Engine, id: usize, prompt: usize, tokens: usize) -> SampleRequest {
    SampleRequest {
        id: id as u64,
        prompt: ids(engine, id, prompt),
        session: id as u64,
        last: true,
        max_tokens: tokens,
        temperature: 1.0,
        stop: Vec::new(),
        seed: id as u64,
    }
}

fn ids(engine: &dyn Engine, seed: usize, length: usize) -> Vec<u32> {
    let vocab = engine.info().vocab;
    (0..length).map(|at| ((at * 7919 + seed * 104_729 + at * at * 31) % vocab) as u32).collect()
}

/// Requests that are all there from the beginning.
struct Given(Mutex<VecDeque<SampleRequest>>);

impl SampleQueue for Given {
    fn next(&self, _: bool) -> Next {
        self.0.lock().expect("nothing panics while it holds the queue").pop_front().map_or(Next::Closed, Next::Request)
    }

    fn finish(&self, _: u64, _: Sampled) {}
}

/// Sessions of two requests: one that reads the prompt, and, when all prompts are read, one that is measured.
struct Turns {
    /// Ids to sample in the second.
    second: usize,
    state: Mutex<TurnsState>,
    changed: Condvar,
}

#[derive(Default)]
struct TurnsState {
    waiting: VecDeque<SampleRequest>,
    served: Vec<SampleRequest>,
    /// Prompts that are still to be read.
    reading: usize,
    /// Sessions that have a token of their second request.
    begun: BTreeSet<u64>,
    /// Started when all have.
    clock: Option<Clock>,
    /// Tokens since then.
    counted: usize,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, TurnsState> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }
}

impl SampleQueue for Turns {
    fn next(&self, wait: bool) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(request) = state.waiting.pop_front() {
                state.served.push(request.clone());
                return Next::Request(request);
            }
            match (state.reading, wait) {
                (0, _) => return Next::Closed,
                (_, false) => return Next::Empty,
                (_, true) => state = self.changed.wait(state).expect("nothing panics while it holds the queue"),
            }
        }
    }

    fn token(&self, id: u64, _: u32) {
        let mut state = self.lock();
        if state.clock.is_some() {
            state.counted += 1;
        } else if state.reading == 0 {
            state.begun.insert(id);
            if state.waiting.is_empty() && state.begun.len() == state.served.len() {
                state.clock = Some(Clock::start());
            }
        }
    }

    fn finish(&self, id: u64, sampled: Sampled) {
        let mut state = self.lock();
        if state.reading == 0 {
            return;
        }
        let first = state.served.iter_mut().find(|request| request.id == id).expect("only what was served finishes");
        first.prompt.extend(sampled.tokens);
        (first.last, first.max_tokens) = (true, self.second);
        state.reading -= 1;
        if state.reading == 0 {
            state.waiting = std::mem::take(&mut state.served).into();
            self.changed.notify_all();
        }
    }
}
