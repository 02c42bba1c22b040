//! The engine behind the trait: one model on one device.

use std::path::Path;

use tch::{Device, Tensor};

use super::super::check::{Needs, check};
use super::super::local::checkpoint::{self, Checkpoint, Found, Saved, Trained};
use super::super::local::model::weights::Model;
use super::super::local::training::adamw::{self, clipping};
use super::super::local::training::target::{self, Targets};
use super::super::{AdamW, Datum, Engine, EngineError, ForwardBackward, Info, Loss, Options, SampleQueue, StepStats};
use super::batches::plan;
use super::frame::Angles;
use super::limits::Limits;
use super::optimizer::{self, Moments};
use super::products::Products;
use super::training::Passes;
use super::weights::{Recipe, Weights};
use super::{device, parameters, sampling};

/// A model on a device.
///
/// The host keeps what the model is, and no values.
pub struct Gpu {
    device: Device,
    model: Model,
    adapters: Option<Trained>,
    recipe: Recipe,
    angles: Angles,
    recompute: bool,
    pub(super) limits: Limits,
    /// In the order of [`parameters::of_model`].
    weights: Vec<Tensor>,
    /// In the order of [`parameters::of_adapters`].
    adapter_weights: Vec<Tensor>,
    /// Which matrices of what is trained decay.
    decays: Vec<bool>,
    moments: Moments,
    weight_version: u64,
}

impl Gpu {
    /// The model of a Hugging Face directory, with the optimiser's state if it is there. Threads have no meaning here.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] without a device or memory there, as [`Engine::load`], and [`EngineError::Invalid`] when the directory has
    /// other adapters than the options ask for.
    pub fn open_with(dir: &Path, options: &Options) -> Result<Gpu, EngineError> {
        device::computing(|| Gpu::open(dir, options))
    }

    fn open(dir: &Path, options: &Options) -> Result<Gpu, EngineError> {
        let device = device::open()?;
        let Checkpoint { mut model, adapters, moments, weight_version } = checkpoint::open(dir, options.lora.as_ref())?;
        let trained = adapters.as_ref().map(|trained| &trained.adapters);
        let products = Products::new(options.precision);
        let recipe = Recipe::new(&model.layout, trained, products);
        let places = parameters::of_model(&model.layout);
        let decays: Vec<bool> = match trained {
            Some(adapters) => vec![true; parameters::of_adapters(adapters).len()],
            None => {
                let decayed = model.layout.decayed();
                places.iter().map(|place| decayed.contains(&place.range())).collect()
            }
        };
        let weights = parameters::upload(&std::mem::take(&mut model.values), &places, device);
        let mut gpu = Gpu {
            angles: Angles::new(&model, products, device),
            recompute: options.recompute,
            limits: Limits::default(),
            adapter_weights: Vec::new(),
            moments: Moments::default(),
            adapters,
            device,
            model,
            recipe,
            weights,
            decays,
            weight_version,
        };
        gpu.take_adapters();
        parameters::track(gpu.trained_mut());
        gpu.moments = gpu.upload_moments(&moments);
        Ok(gpu)
    }

    /// Takes the values of adapters to the device, if there are any.
    fn take_adapters(&mut self) {
        if let Some(Trained { adapters, .. }) = &mut self.adapters {
            let values = std::mem::take(&mut adapters.values);
            self.adapter_weights = parameters::upload(&values, &parameters::of_adapters(adapters), self.device);
        }
    }

    fn upload_moments(&self, moments: &adamw::Moments) -> Moments {
        if moments.steps == 0 {
            return Moments::default();
        }
        let places = match &self.adapters {
            Some(trained) => parameters::of_adapters(&trained.adapters),
            None => parameters::of_model(&self.model.layout),
        };
        let upload = |values: &[f32]| parameters::upload(values, &places, self.device);
        Moments { first: upload(&moments.first), second: upload(&moments.second), steps: moments.steps }
    }

    fn trained(&self) -> &[Tensor] {
        if self.adapters.is_some() { &self.adapter_weights } else { &self.weights }
    }

    fn trained_mut(&mut self) -> &mut [Tensor] {
        if self.adapters.is_some() { &mut self.adapter_weights } else { &mut self.weights }
    }

    fn current(&self) -> Weights<'_> {
        Weights { model: &self.weights, adapters: &self.adapter_weights }
    }

    fn passes(&self) -> Passes<'_> {
        let Gpu { model, recipe, angles, recompute, limits, .. } = self;
        Passes { config: &model.config, recipe, angles, recompute: *recompute, limits: *limits }
    }
}

impl Engine for Gpu {
    fn info(&self) -> Info {
        Info {
            engine: "gpu",
            parameters: self.trained().iter().map(|tensor| tensor.numel()).sum(),
            vocab: self.model.config.vocab_size,
            context: self.model.config.max_position_embeddings,
            weight_version: self.weight_version,
        }
    }

    fn sample(&mut self, queue: &dyn SampleQueue) -> Result<(), EngineError> {
        let serve = || sampling::serve(self.passes(), self.current(), queue);
        device::computing(|| device::without_gradients(serve))
    }

    fn forward_backward(&mut self, batch: &[Datum], loss: Loss) -> Result<ForwardBackward, EngineError> {
        check(batch, Needs::of(loss), &self.model.config)?;
        let (weights, passes) = (self.current(), self.passes());
        let mut seen = ForwardBackward::default();
        let mut train = |batch| passes.train(weights, (batch, loss), &mut seen);
        let batches = plan(batch, Targets::Weighted, self.limits.training_ids);
        device::computing(|| batches.iter().try_for_each(&mut train))?;
        Ok(seen)
    }

    fn forward(&mut self, data: &[Datum]) -> Result<Vec<Vec<f32>>, EngineError> {
        check(data, Needs::Ids, &self.model.config)?;
        let batches = plan(data, Targets::All, self.limits.training_ids);
        let score = |batch| self.passes().score(self.current(), batch);
        let scores = device::computing(|| batches.iter().map(score).collect::<Result<Vec<_>, _>>())?;
        let scored = batches.iter().zip(scores).flat_map(|(batch, scores)| batch.targets.iter().zip(scores));
        Ok(target::by_datum(data, scored))
    }

    fn optim_step(&mut self, step: &AdamW) -> Result<StepStats, EngineError> {
        let grad_norm = device::computing(|| optimizer::norm(self.trained()))?;
        if !grad_norm.is_finite() {
            parameters::track(self.trained_mut());
            return Err(EngineError::NotFinite { what: "the norm of the gradient" });
        }
        let trained = if self.adapters.is_some() { &mut self.adapter_weights } else { &mut self.weights };
        let factor = clipping(grad_norm, step);
        device::computing(|| {
            device::without_gradients(|| self.moments.step(trained, factor, &self.decays, step));
            parameters::track(trained);
            Ok(())
        })?;
        self.weight_version += 1;
        Ok(StepStats { grad_norm, weight_version: self.weight_version })
    }

    fn save(&self, dir: &Path, with_optimizer: bool) -> Result<(), EngineError> {
        let (mut model, mut adapters) = (self.model.clone(), self.adapters.clone());
        let values = parameters::download(self.trained())?;
        match &mut adapters {
            Some(trained) => trained.adapters.values = values,
            None => model.values = values,
        }
        let Moments { first, second, steps } = &self.moments;
        let moments = match with_optimizer {
            true => {
                let [first, second] = [parameters::download(first)?, parameters::download(second)?];
                Some(adamw::Moments { first, second, steps: *steps })
            }
            false => None,
        };
        let (adapters, moments) = (adapters.as_ref(), moments.as_ref());
        checkpoint::save(dir, &Saved { model: &model, adapters, moments, weight_version: self.weight_version })
    }

    fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        let (found, moments, weight_version) = checkpoint::reload(dir, &self.model, self.adapters.as_ref())?;
        match found {
            Found::Weights(model) => {
                self.weights = parameters::upload(&model.values, &parameters::of_model(&model.layout), self.device);
            }
            Found::Adapters(trained) => {
                self.adapters = Some(trained);
                self.take_adapters();
            }
        }
        self.moments = self.upload_moments(&moments);
        self.weight_version = weight_version;
        parameters::track(self.trained_mut());
        Ok(())
    }
}
