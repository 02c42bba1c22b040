//! How fast the engine is on this machine, on made-up ids: used by `basis bench` and `benches/engine.rs`.
//!
//! On a machine with other work, tokens per second of CPU time say more than tokens per second.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::super::{AdamW, Datum, Engine, EngineError, Loss, Next, SampleQueue, SampleRequest, Sampled};
use super::clock::Spent;
use super::{Config, Local};

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// How fast it was.
    pub rate: Rate,
    /// Where the time of the threads went, that of warming up included.
    pub spent: Spent,
}

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
pub fn training(
    config: &Config,
    threads: usize,
    sequences: usize,
    length: usize,
    time: Duration,
) -> Result<Measured, EngineError> {
    let mut engine = Local::create(config.clone(), 0, threads)?;
    let datum = |seed| Datum {
        ids: ids(config, seed, length),
        weights: vec![1.0 / (sequences * length) as f32; length - 1],
        ..Datum::default()
    };
    let batch: Vec<Datum> = (0..sequences).map(datum).collect();
    let rate = repeat(time, sequences * length, || {
        engine.forward_backward(&batch, Loss::CrossEntropy)?;
        engine.optim_step(&STEP)
    })?;
    Ok(Measured { rate, spent: engine.spent() })
}

/// Training on the episodes of 6 tasks, 8 of each: 280 tokens that all of a task have in common, 40 that two have, 52 of its own, of which
/// the last 92 are weighted. With `alike` false they have nothing in common, as if each had been computed by itself.
///
/// # Errors
/// As the engine's.
pub fn groups(config: &Config, threads: usize, alike: bool, time: Duration) -> Result<Measured, EngineError> {
    let mut engine = Local::create(config.clone(), 0, threads)?;
    let datum = |index: usize| {
        let parts = [ids(config, index / 8, 280), ids(config, 100 + index / 2, 40), ids(config, 200 + index, 52)];
        let mut ids = parts.concat();
        if !alike {
            ids[0] = index as u32;
        }
        let weights = (0..ids.len() - 1).map(|at| if at + 93 > 371 { 1.0 / 4416.0 } else { 0.0 }).collect();
        Datum { ids, weights, ..Datum::default() }
    };
    let batch: Vec<Datum> = (0..48).map(datum).collect();
    let tokens = batch.iter().map(|datum| datum.ids.len()).sum();
    let rate = repeat(time, tokens, || {
        engine.forward_backward(&batch, Loss::CrossEntropy)?;
        engine.optim_step(&STEP)
    })?;
    Ok(Measured { rate, spent: engine.spent() })
}

/// Sampling `tokens` tokens in each of `sessions` sessions at the same time, each after a prompt of its own of `prompt` tokens. Reading the
/// prompts is not counted.
///
/// # Errors
/// As the engine's.
pub fn decoding(
    config: &Config,
    threads: usize,
    sessions: usize,
    prompt: usize,
    tokens: usize,
) -> Result<Measured, EngineError> {
    let mut engine = Local::create(config.clone(), 0, threads)?;
    let queue = Turns { second: tokens, state: Mutex::new(TurnsState::default()), changed: Condvar::new() };
    for id in 0..sessions {
        queue.lock().waiting.push_back(SampleRequest { last: false, ..request(config, id, prompt, 1) });
    }
    queue.lock().reading = sessions;
    engine.sample(&queue)?;
    let clock = queue.lock().clock.take().expect("all prompts were read");
    Ok(Measured { rate: rate(sessions * tokens, clock.elapsed()), spent: engine.spent() })
}

/// Reading `sessions` different prompts of `length` tokens.
///
/// # Errors
/// As the engine's.
pub fn reading(
    config: &Config,
    threads: usize,
    sessions: usize,
    length: usize,
    time: Duration,
) -> Result<Measured, EngineError> {
    let mut engine = Local::create(config.clone(), 0, threads)?;
    let requests = || (0..sessions).map(|id| request(config, id, length, 1)).collect();
    let rate = repeat(time, sessions * length, || engine.sample(&Given(Mutex::new(requests()))))?;
    Ok(Measured { rate, spent: engine.spent() })
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

fn request(config: &Config, id: usize, prompt: usize, tokens: usize) -> SampleRequest {
    SampleRequest {
        id: id as u64,
        prompt: ids(config, id, prompt),
        session: id as u64,
        last: true,
        max_tokens: tokens,
        temperature: 1.0,
        stop: Vec::new(),
        seed: id as u64,
    }
}

fn ids(config: &Config, seed: usize, length: usize) -> Vec<u32> {
    (0..length).map(|at| ((at * 7919 + seed * 104_729 + at * at * 31) % config.vocab_size) as u32).collect()
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
    /// Started when all prompts were read.
    clock: Option<Clock>,
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

    fn finish(&self, id: u64, sampled: Sampled) {
        let mut state = self.lock();
        if state.clock.is_some() {
            return;
        }
        let first = state.served.iter_mut().find(|request| request.id == id).expect("only what was served finishes");
        first.prompt.extend(sampled.tokens);
        (first.last, first.max_tokens) = (true, self.second);
        state.reading -= 1;
        if state.reading == 0 {
            state.waiting = std::mem::take(&mut state.served).into();
            state.clock = Some(Clock::start());
            self.changed.notify_all();
        }
    }
}
