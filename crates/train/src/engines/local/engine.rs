//! The engine behind the trait: one model, its optimiser, its threads.

use std::path::Path;
use std::thread;

use super::super::check::{Needs, check};
use super::super::{
    AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, Options, Precision, SampleQueue, StepStats,
};
use super::checkpoint::{self, Checkpoint, Found, Saved, Trained};
use super::clock::{Spent, Work, account, time};
use super::config::Config;
use super::math::vector;
use super::model::adapters::Adapters;
use super::model::weights::{Direction, Matrices, Model};
use super::sampling;
use super::training::adamw::{self, Moments};
use super::training::plan::{MicroBatch, plan};
use super::training::tape::Keep;
use super::training::target::{self, Targets};
use super::training::worker::{Training, Worker};

/// A model on this machine's CPU.
///
/// Training gives the same result for the same data, weights and number of threads; sampling gives the same result for the same weights and
/// request, whatever else is in the queue and however many threads there are.
pub struct Local {
    model: Model,
    /// What is trained, if it is not the model's weights.
    adapters: Option<Trained>,
    precision: Precision,
    keep: Keep,
    /// Packed from the current weights when first needed.
    forward: Option<Matrices>,
    /// Packed from the current weights when first needed.
    backward: Option<Matrices>,
    workers: Vec<Worker>,
    moments: Moments,
    weight_version: u64,
    spent: Spent,
}

impl Local {
    /// A fresh model that uses `threads` threads (at least one): matrices normal with deviation 0.02, norms one.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] when the sizes do not go together.
    pub fn create(config: Config, seed: u64, threads: usize) -> Result<Local, EngineError> {
        Local::create_with(config, seed, &Options { threads, ..Options::default() })
    }

    /// As [`Local::create`]; a fresh model has no adapters.
    ///
    /// # Errors
    /// As [`Local::create`].
    pub fn create_with(config: Config, seed: u64, options: &Options) -> Result<Local, EngineError> {
        config.check().map_err(|reason| EngineError::Invalid { reason })?;
        let model = Model::random(config, seed);
        let checkpoint = Checkpoint { model, adapters: None, moments: Moments::default(), weight_version: 0 };
        Ok(Local::with(checkpoint, options))
    }

    /// The model of a Hugging Face directory, with the optimiser's state if it is there.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn open(dir: &Path, threads: usize) -> Result<Local, EngineError> {
        Local::open_with(dir, &Options { threads, ..Options::default() })
    }

    /// As [`Local::open`]. A directory of adapters is gone on with; beside weights, new ones are made if the options ask for them.
    ///
    /// # Errors
    /// As [`Engine::load`], and [`EngineError::Invalid`] when the directory has other adapters than the options ask for.
    pub fn open_with(dir: &Path, options: &Options) -> Result<Local, EngineError> {
        Ok(Local::with(checkpoint::open(dir, options.lora.as_ref())?, options))
    }

    /// The shape of the model.
    pub fn config(&self) -> &Config {
        &self.model.config
    }

    fn with(checkpoint: Checkpoint, options: &Options) -> Local {
        let Checkpoint { model, adapters, moments, weight_version } = checkpoint;
        let workers = (0..options.threads.max(1)).map(|_| Worker::default()).collect();
        let keep = if options.recompute { Keep::Inputs } else { Keep::Everything };
        let precision = options.precision;
        let (forward, backward, spent) = (None, None, Spent::default());
        Local { model, adapters, precision, keep, forward, backward, workers, moments, weight_version, spent }
    }

    fn trained(&self) -> Option<&Adapters> {
        self.adapters.as_ref().map(|trained| &trained.adapters)
    }

    /// Packs the current weights, unless that was done.
    fn pack(&mut self, direction: Direction) {
        let (model, adapters) = (&self.model, self.adapters.as_ref().map(|trained| &trained.adapters));
        let packed = match direction {
            Direction::Forward => &mut self.forward,
            Direction::Backward => &mut self.backward,
        };
        let ((), spent) = account(|| {
            packed.get_or_insert_with(|| time(Work::Packing, || model.pack(adapters, direction, self.precision)));
        });
        self.spent.add(&spent);
    }

    /// See [`Engine::optim_step`].
    fn step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        let (values, decayed) = match &mut self.adapters {
            Some(Trained { adapters, .. }) => {
                let all = std::iter::once(0..adapters.values.len()).collect();
                (&mut adapters.values, all)
            }
            None => (&mut self.model.values, self.model.layout.decayed()),
        };
        let mut gradient = std::mem::take(&mut self.workers[0].gradient);
        gradient.resize(values.len(), 0.0);
        for worker in self.workers[1..].iter_mut().filter(|worker| !worker.gradient.is_empty()) {
            vector::add(&mut gradient, &worker.gradient);
            worker.gradient.fill(0.0);
        }
        let grad_norm = adamw::norm(&gradient);
        if grad_norm.is_finite() {
            self.moments.step(values, &gradient, adamw::clipping(grad_norm, step), &decayed, step);
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

    fn forget_derived(&mut self) {
        self.forward = None;
        self.backward = None;
    }
}

impl Engine for Local {
    fn info(&self) -> Info {
        Info {
            engine: "local",
            parameters: self.trained().map_or(self.model.layout.total, |adapters| adapters.values.len()),
            vocab: self.model.config.vocab_size,
            context: self.model.config.max_position_embeddings,
            weight_version: self.weight_version,
        }
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        self.pack(Direction::Forward);
        let matrices = self.forward.as_ref().expect("it was packed");
        let (result, spent) = sampling::serve(&self.model, matrices, self.workers.len(), queue);
        self.spent.add(&spent);
        result
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        check(batch, Needs::of(loss), &self.model.config)?;
        self.pack(Direction::Forward);
        self.pack(Direction::Backward);
        let training = Training {
            model: &self.model,
            adapters: self.adapters.as_ref().map(|trained| &trained.adapters),
            forward: self.forward.as_ref().expect("it was packed"),
            backward: self.backward.as_ref().expect("it was packed"),
            loss,
            keep: self.keep,
        };
        let plans = plan(batch, Targets::Weighted, self.workers.len());
        let train = |worker: &mut Worker, plan: &[MicroBatch]| worker.train(training, plan);
        let (parts, spent) = run(&mut self.workers, &plans, &train);
        self.spent.add(&spent);
        Ok(parts.into_iter().fold(ForwardBackward::default(), add))
    }

    fn forward(&mut self, batch: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        check(batch, Needs::Ids, &self.model.config)?;
        self.pack(Direction::Forward);
        let (model, forward) = (&self.model, self.forward.as_ref().expect("it was packed"));
        let plans = plan(batch, Targets::All, self.workers.len());
        let score = |worker: &mut Worker, plan: &[MicroBatch]| worker.score(model, forward, plan);
        let (parts, spent) = run(&mut self.workers, &plans, &score);
        self.spent.add(&spent);
        let scored = plans.iter().flatten().zip(parts.into_iter().flatten());
        Ok(target::by_datum(batch, scored.flat_map(|(batch, scores)| batch.targets.iter().zip(scores))))
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        let (result, spent) = account(|| time(Work::Optimizer, || self.step(step)));
        self.spent.add(&spent);
        result
    }

    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        let Local { model, adapters, moments, weight_version, .. } = self;
        let moments = with_optimizer.then_some(moments);
        checkpoint::save(dir, &Saved { model, adapters: adapters.as_ref(), moments, weight_version: *weight_version })
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        let (found, moments, weight_version) = checkpoint::reload(dir, &self.model, self.adapters.as_ref())?;
        match found {
            Found::Weights(model) => self.model = model,
            Found::Adapters(trained) => self.adapters = Some(trained),
        }
        (self.moments, self.weight_version) = (moments, weight_version);
        self.workers.iter_mut().for_each(|worker| worker.gradient.fill(0.0));
        self.forget_derived();
        Ok(())
    }

    fn spent(&self) -> Spent {
        self.spent
    }
}

/// Runs each worker on its plan, in parallel; results in the order of workers, and where the time of all went.
fn run<R: Send>(
    workers: &mut [Worker],
    plans: &[Vec<MicroBatch>],
    work: &(impl Fn(&mut Worker, &[MicroBatch]) -> R + Sync),
) -> (Vec<R>, Spent) {
    thread::scope(|scope| {
        let pairs = workers.iter_mut().zip(plans);
        let threads: Vec<_> = pairs.map(|(worker, plan)| scope.spawn(move || account(|| work(worker, plan)))).collect();
        let mut total = Spent::default();
        let join = |thread: thread::ScopedJoinHandle<'_, (R, Spent)>| {
            let (result, spent) = thread.join().expect("training does not panic");
            total.add(&spent);
            result
        };
        let results = threads.into_iter().map(join).collect();
        (results, total)
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
