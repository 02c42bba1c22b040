//! What is learned from the episodes of one iteration.

use std::collections::BTreeMap;

use basis_gym::episode::Episode;

use super::TrainConfig;
use super::watch::Guard;
use crate::algo::{self, Signal};
use crate::batch::importance::{self, Importance};
use crate::batch::{Batch, Share, batches, reference};
use crate::engines::{Engine, EngineError};

/// What the optimiser steps of one iteration did.
#[derive(Debug, Clone, Default)]
pub(super) struct Update {
    /// What the episodes taught.
    pub(super) signal: Signal,
    /// Optimiser steps; 0 when nothing had signal.
    pub(super) steps: usize,
    /// Ids in the sequences trained on.
    pub(super) tokens: usize,
    /// Sampled ids trained on.
    pub(super) targets: usize,
    /// Targets outside the clip bounds.
    pub(super) clipped: usize,
    /// Sum of the losses of all steps.
    pub(super) loss: f64,
    /// Sum over targets of the estimate of KL(old ‖ new).
    pub(super) kl: f64,
    /// Sum over targets of the entropy.
    pub(super) entropy: f64,
    /// Largest norm of a gradient before clipping.
    pub(super) grad_norm: f64,
    /// Sum over targets of `log p_old - log p_start`, when there is a price on it.
    pub(super) distance: Option<f64>,
    /// What importance weights did, when there are any.
    pub(super) importance: Option<Importance>,
    /// What each skill had of the loss, mean over steps.
    pub(super) shares: BTreeMap<String, Share>,
}

/// Computes advantages.
pub(super) fn signal<'a>(episodes: &[Episode], pair_of: &dyn Fn(&str) -> &'a str, config: &TrainConfig) -> Signal {
    let estimator = algo::find(&config.estimator).expect("the settings were checked");
    let pair_of = |task: &str| if config.pair_centred { pair_of(task) } else { "" };
    algo::signal(episodes, &pair_of, estimator)
}

/// What an update works with.
pub(super) struct Updating<'a> {
    pub(super) engine: &'a mut dyn Engine,
    /// The starting policy, when distance to it has a price.
    pub(super) reference: Option<&'a mut (dyn Engine + 'static)>,
    pub(super) config: &'a TrainConfig,
    /// Where it says what it is at.
    pub(super) guard: &'a Guard<'a>,
}

impl Updating<'_> {
    /// Takes the optimiser steps of `iteration`.
    pub(super) fn run(
        &mut self,
        episodes: &[Episode],
        signal: Signal,
        (iteration, learning_rate): (u32, f64),
    ) -> Result<Update, EngineError> {
        let config = self.config;
        let mut batches = batches(episodes, &signal, &config.batch, config.seed.wrapping_add(u64::from(iteration)));
        let mut update = Update { signal, ..Update::default() };
        self.charge(&mut batches, &mut update)?;
        self.weigh(&mut batches, &mut update)?;
        for (step, batch) in (1..).zip(&batches) {
            let skills = || batch.shares.keys().cloned().collect::<Vec<_>>().join(", ");
            let of = || format!("step {step} of {}", batches.len());
            let sequences = batch.data.len();
            self.guard.at(|| format!("the gradient of {}: {sequences} sequences of {}", of(), skills()));
            let seen = self.engine.forward_backward(&batch.data, config.loss())?;
            self.guard.at(|| format!("the optimiser, {}", of()));
            let stepped = self.engine.optim_step(&config.optimizer.step(learning_rate))?;
            update.steps += 1;
            update.tokens += batch.data.iter().map(|datum| datum.ids.len()).sum::<usize>();
            update.targets += seen.targets;
            update.clipped += seen.clipped;
            update.loss += seen.loss;
            update.kl += seen.kl;
            update.entropy += seen.entropy;
            update.grad_norm = update.grad_norm.max(stepped.grad_norm);
            add_shares(&mut update.shares, batch, batches.len());
        }
        Ok(update)
    }

    /// Distance to the starting policy costs.
    fn charge(&mut self, batches: &mut [Batch], update: &mut Update) -> Result<(), EngineError> {
        let Some(engine) = self.reference.as_deref_mut() else { return Ok(()) };
        self.guard.at(|| "log-probabilities of the reference model".to_owned());
        let mut distance = 0.0;
        for batch in batches {
            let start = engine.forward(&batch.data)?;
            distance += reference::charge(&mut batch.data, &start, self.config.kl);
        }
        update.distance = Some(distance);
        Ok(())
    }

    /// What the sampler chose more or less often than the trainer would have is weighed accordingly.
    fn weigh(&mut self, batches: &mut [Batch], update: &mut Update) -> Result<(), EngineError> {
        if self.config.importance_cap == 0.0 {
            return Ok(());
        }
        self.guard.at(|| "log-probabilities for importance weights".to_owned());
        let mut sum = Importance::default();
        for batch in batches {
            let start = self.engine.forward(&batch.data)?;
            sum = sum + importance::truncate(&mut batch.data, &start, self.config.importance_cap);
        }
        update.importance = Some(sum);
        Ok(())
    }
}

fn add_shares(shares: &mut BTreeMap<String, Share>, batch: &Batch, steps: usize) {
    for (skill, share) in &batch.shares {
        let sum = shares.entry(skill.clone()).or_default();
        sum.episodes += share.episodes;
        sum.tokens += share.tokens;
        sum.weight += share.weight / steps as f64;
        sum.pull += share.pull / steps as f64;
    }
}
