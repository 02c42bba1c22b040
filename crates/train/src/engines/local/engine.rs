//! The engine behind the trait: one model, its optimiser, its threads.

use std::path::Path;
use std::thread;

use super::super::{AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, SampleQueue, StepStats};
use super::checkpoint::{self, Checkpoint};
use super::config::Config;
use super::math::vector;
use super::model::weights::{Matrices, Model};
use super::sampling;
use super::training::adamw::{self, Moments};
use super::training::plan::{MicroBatch, Targets, plan};
use super::training::worker::Worker;

/// A model on this machine's CPU.
///
/// Training gives the same result for the same data, weights and number of threads; sampling gives the same result for the same weights and
/// request, whatever else is in the queue and however many threads there are.
pub struct Local {
    model: Model,
    /// Packed from the current weights when first needed.
    forward: Option<Matrices>,
    /// Packed from the current weights when first needed.
    backward: Option<Matrices>,
    workers: Vec<Worker>,
    moments: Moments,
    weight_version: u64,
}

impl Local {
    /// A fresh model that uses `threads` threads (at least one): matrices normal with deviation 0.02, norms one.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] when the sizes do not go together.
    pub fn create(config: Config, seed: u64, threads: usize) -> Result<Local, EngineError> {
        config.check().map_err(|reason| EngineError::Invalid { reason })?;
        let model = Model::random(config, seed);
        Ok(Local::with(Checkpoint { model, moments: Moments::default(), weight_version: 0 }, threads))
    }

    /// The model of a Hugging Face directory, with the optimiser's state if it is there.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn open(dir: &Path, threads: usize) -> Result<Local, EngineError> {
        Ok(Local::with(checkpoint::load(dir)?, threads))
    }

    /// The shape of the model.
    pub fn config(&self) -> &Config {
        &self.model.config
    }

    fn with(checkpoint: Checkpoint, threads: usize) -> Local {
        let Checkpoint { model, moments, weight_version } = checkpoint;
        let workers = (0..threads.max(1)).map(|_| Worker::default()).collect();
        Local { model, forward: None, backward: None, workers, moments, weight_version }
    }

    fn forget_derived(&mut self) {
        self.forward = None;
        self.backward = None;
    }

    fn check(&self, data: &[Datum], needs: Needs) -> Result<(), EngineError> {
        let (context, vocab) = (self.model.config.max_position_embeddings, self.model.config.vocab_size);
        for (index, datum) in data.iter().enumerate() {
            let length = datum.ids.len();
            if length > context {
                return Err(EngineError::TooLong { length, context });
            }
            let invalid = |reason: String| Err(EngineError::Invalid { reason: format!("datum {index}: {reason}") });
            if let Some(id) = datum.ids.iter().find(|&&id| id as usize >= vocab) {
                return invalid(format!("id {id} is outside the vocabulary of {vocab}"));
            }
            let expected = length.saturating_sub(1);
            for (name, values, needed) in [
                ("weights", &datum.weights, needs >= Needs::Weights),
                ("old_logprobs", &datum.old_logprobs, needs >= Needs::Advantages),
                ("advantages", &datum.advantages, needs >= Needs::Advantages),
            ] {
                if needed && values.len() != expected {
                    return invalid(format!("`{name}` has {} values, expected {expected}", values.len()));
                }
            }
        }
        Ok(())
    }
}

/// Which vectors of a datum are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Ids,
    Weights,
    Advantages,
}

impl Engine for Local {
    fn info(&self) -> Info {
        Info {
            engine: "local",
            parameters: self.model.layout.total,
            vocab: self.model.config.vocab_size,
            context: self.model.config.max_position_embeddings,
            weight_version: self.weight_version,
        }
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        let matrices = self.forward.get_or_insert_with(|| self.model.pack_forward());
        sampling::serve(&self.model, matrices, self.workers.len(), queue)
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        self.check(batch, if loss.compares() { Needs::Advantages } else { Needs::Weights })?;
        let model = &self.model;
        let forward = &*self.forward.get_or_insert_with(|| model.pack_forward());
        let backward = &*self.backward.get_or_insert_with(|| model.pack_backward());
        let plans = plan(batch, Targets::Weighted, self.workers.len());
        let train = |worker: &mut Worker, plan: &[MicroBatch]| worker.train(model, [forward, backward], plan, loss);
        let parts = run(&mut self.workers, &plans, &train);
        Ok(parts.into_iter().fold(ForwardBackward::default(), add))
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.check(batch, Needs::Ids)?;
        let model = &self.model;
        let forward = &*self.forward.get_or_insert_with(|| model.pack_forward());
        let plans = plan(batch, Targets::All, self.workers.len());
        let score = |worker: &mut Worker, plan: &[MicroBatch]| worker.score(model, forward, plan);
        let parts = run(&mut self.workers, &plans, &score);
        let mut logprobs: Vec<Vec<f32>> =
            batch.iter().map(|datum| vec![0.0; datum.ids.len().saturating_sub(1)]).collect();
        let scored = plans.iter().flatten().zip(parts.into_iter().flatten());
        for (batch, scores) in scored {
            for (target, score) in batch.targets.iter().zip(scores) {
                logprobs[target.source.0][target.source.1] = score;
            }
        }
        Ok(logprobs)
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        let total = self.model.layout.total;
        let mut gradient = std::mem::take(&mut self.workers[0].gradient);
        gradient.resize(total, 0.0);
        for worker in self.workers[1..].iter_mut().filter(|worker| !worker.gradient.is_empty()) {
            vector::add(&mut gradient, &worker.gradient);
            worker.gradient.fill(0.0);
        }
        let grad_norm = adamw::norm(&gradient);
        if grad_norm.is_finite() {
            let limit = f64::from(step.max_grad_norm);
            let factor = if limit > 0.0 && grad_norm > limit { (limit / grad_norm) as f32 } else { 1.0 };
            self.moments.step(&mut self.model.values, &gradient, factor, &self.model.layout.decayed(), step);
            self.weight_version += 1;
            self.forget_derived();
        }
        gradient.fill(0.0);
        self.workers[0].gradient = gradient;
        if grad_norm.is_finite() {
            Ok(StepStats { grad_norm, weight_version: self.weight_version })
        } else {
            Err(EngineError::NotFinite { what: "the norm of the gradient" })
        }
    }

    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        checkpoint::save(dir, &self.model, with_optimizer.then_some(&self.moments), self.weight_version)
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        let Checkpoint { model, moments, weight_version } = checkpoint::load(dir)?;
        if model.config != self.model.config {
            return Err(EngineError::Damaged {
                path: dir.join("config.json"),
                reason: "it describes another model than the one in memory; open it as a new engine".to_owned(),
            });
        }
        (self.model, self.moments, self.weight_version) = (model, moments, weight_version);
        self.workers.iter_mut().for_each(|worker| worker.gradient.fill(0.0));
        self.forget_derived();
        Ok(())
    }
}

/// Runs each worker on its plan, in parallel; results in the order of workers.
fn run<R: Send>(
    workers: &mut [Worker],
    plans: &[Vec<MicroBatch>],
    work: &(impl Fn(&mut Worker, &[MicroBatch]) -> R + Sync),
) -> Vec<R> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            workers.iter_mut().zip(plans).map(|(worker, plan)| scope.spawn(move || work(worker, plan))).collect();
        threads.into_iter().map(|thread| thread.join().expect("training does not panic")).collect()
    })
}

fn add(a: ForwardBackward, b: ForwardBackward) -> ForwardBackward {
    ForwardBackward {
        loss: a.loss + b.loss,
        weight: a.weight + b.weight,
        targets: a.targets + b.targets,
        clipped: a.clipped + b.clipped,
        kl: a.kl + b.kl,
        entropy: a.entropy + b.entropy,
    }
}
