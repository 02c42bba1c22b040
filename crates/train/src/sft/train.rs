//! The loop of supervised training: shuffled epochs, batches by tokens, one optimiser step each.
//!
//! With the same seed, episodes and number of threads the weights come out the same, bit for bit, as far as the engine does
//! its part.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use basis_gym::episode::Episode;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::data::Data;
use super::{SftConfig, SftError, schedule};
use crate::engines::{Datum, Engine, Loss};
use crate::renderer::Renderer;

/// What supervised training works with.
pub struct Sft<'a> {
    /// The weights.
    pub engine: &'a mut dyn Engine,
    /// Their format.
    pub renderer: &'a dyn Renderer,
    /// The teacher's episodes.
    pub episodes: &'a [Episode],
    /// Settings.
    pub config: &'a SftConfig,
    /// Set from outside to end after the current step.
    pub stop: &'a AtomicBool,
}

/// One optimiser step, as told to the caller.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Mean loss per target of this step, in nats.
    pub loss: f64,
    /// Loss on the held-out tasks; at the end of each epoch.
    pub held_out: Option<f64>,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Ids seen so far.
    pub tokens: u64,
    /// Ids per second so far.
    pub tokens_per_second: f64,
}

/// What supervised training did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SftReport {
    /// Optimiser steps.
    pub steps: usize,
    /// Ids seen, counting each epoch.
    pub tokens: u64,
    /// Targets with loss, counting each epoch.
    pub targets: u64,
    /// Mean loss of the last epoch, in nats per target.
    pub loss: f64,
    /// Held-out loss after the last full epoch; `None` when nothing was held out.
    pub held_out: Option<f64>,
    /// Episodes trained on.
    pub episodes: usize,
    /// Episodes left out as malformed or empty.
    pub unusable: usize,
    /// Episodes left out as longer than the context.
    pub too_long: usize,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Trains on the episodes and calls `progress` after every step.
///
/// # Errors
/// [`SftError::Setting`], [`SftError::NoData`], or a failure of the engine.
pub fn train(sft: Sft<'_>, progress: &mut dyn FnMut(&Progress)) -> Result<SftReport, SftError> {
    let Sft { engine, renderer, episodes, config, stop } = sft;
    config.check()?;
    let context = engine.info().context;
    let data = Data::new(episodes, renderer, context, config);
    let Data { unusable, too_long, .. } = data;
    if data.train.is_empty() {
        return Err(SftError::NoData { given: episodes.len(), unusable, too_long, context });
    }
    let plan: Vec<Vec<Vec<usize>>> = (0..config.epochs).map(|epoch| plan_epoch(&data.train, config, epoch)).collect();
    let steps = plan.iter().map(Vec::len).sum();
    let report = SftReport { episodes: data.train.len(), unusable, too_long, ..SftReport::default() };
    let mut run = Run { engine, config, data, stop, steps, start: Instant::now(), report };
    for epoch in &plan {
        run.epoch(epoch, progress)?;
    }
    run.report.seconds = run.start.elapsed().as_secs_f64();
    Ok(run.report)
}

struct Run<'a> {
    engine: &'a mut dyn Engine,
    config: &'a SftConfig,
    data: Data,
    stop: &'a AtomicBool,
    /// Steps of all epochs.
    steps: usize,
    start: Instant,
    report: SftReport,
}

impl Run<'_> {
    fn epoch(&mut self, batches: &[Vec<usize>], progress: &mut dyn FnMut(&Progress)) -> Result<(), SftError> {
        let mut mean = Mean::default();
        for (index, members) in batches.iter().enumerate() {
            self.report.stopped |= self.stop.load(Ordering::Relaxed);
            if self.report.stopped {
                break;
            }
            let mut done = self.step(members, &mut mean)?;
            self.report.loss = mean.value();
            if index + 1 == batches.len() {
                done.held_out = loss(self.engine, &self.data.held_out)?;
                self.report.held_out = done.held_out;
            }
            progress(&done);
        }
        Ok(())
    }

    fn step(&mut self, members: &[usize], mean: &mut Mean) -> Result<Progress, SftError> {
        let Self { engine, config, report, steps, .. } = self;
        let batch = normalised(&self.data.train, members);
        let factor = schedule::factor(report.steps, *steps, config.warmup, config.final_share);
        let learning_rate = config.learning_rate * factor;
        let seen = engine.forward_backward(&batch, Loss::CrossEntropy)?;
        let stepped = engine.optim_step(&config.optimizer.step(learning_rate))?;
        report.steps += 1;
        report.tokens += batch.iter().map(|datum| datum.ids.len() as u64).sum::<u64>();
        report.targets += seen.targets as u64;
        mean.add(seen.loss, seen.targets);
        Ok(Progress {
            step: report.steps,
            steps: *steps,
            loss: seen.loss,
            held_out: None,
            learning_rate,
            grad_norm: stepped.grad_norm,
            tokens: report.tokens,
            tokens_per_second: report.tokens as f64 / self.start.elapsed().as_secs_f64().max(1e-9),
        })
    }
}

/// Shuffles the episodes of one epoch and cuts them into batches of about `batch_tokens` ids.
fn plan_epoch(data: &[Datum], config: &SftConfig, epoch: u32) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..data.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    rng.set_stream(u64::from(epoch) + 1);
    order.shuffle(&mut rng);
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut tokens = 0;
    for index in order {
        batch.push(index);
        tokens += data[index].ids.len();
        if tokens >= config.batch_tokens {
            batches.push(std::mem::take(&mut batch));
            tokens = 0;
        }
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    batches
}

/// All weights of a step sum to 1.
fn normalised(data: &[Datum], members: &[usize]) -> Vec<Datum> {
    let total: f32 = members.iter().flat_map(|index| &data[*index].weights).sum();
    let scaled = |index: &usize| {
        let mut datum = data[*index].clone();
        datum.weights.iter_mut().for_each(|weight| *weight /= total);
        datum
    };
    members.iter().map(scaled).collect()
}

/// Mean loss per target without training; `None` when there is nothing.
fn loss(engine: &mut dyn Engine, data: &[Datum]) -> Result<Option<f64>, SftError> {
    let mut mean = Mean::default();
    for datum in data {
        for logprobs in engine.forward(std::slice::from_ref(datum))? {
            let learned = logprobs.iter().zip(&datum.weights).filter(|(_, weight)| **weight > 0.0);
            learned.for_each(|(logprob, _)| mean.add(-f64::from(*logprob), 1));
        }
    }
    Ok((mean.weight > 0).then(|| mean.value()))
}

/// A running mean weighted by targets.
#[derive(Default)]
struct Mean {
    sum: f64,
    weight: usize,
}

impl Mean {
    fn add(&mut self, value: f64, weight: usize) {
        self.sum += value * weight as f64;
        self.weight += weight;
    }

    fn value(&self) -> f64 {
        self.sum / self.weight.max(1) as f64
    }
}
