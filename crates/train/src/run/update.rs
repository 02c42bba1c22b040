//! What is learned from the episodes of one iteration.

use std::collections::BTreeMap;

use basis_gym::episode::Episode;

use super::TrainConfig;
use crate::algo::{self, Signal};
use crate::batch::{Batch, Share, batches};
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
    /// What each skill had of the loss, mean over steps.
    pub(super) shares: BTreeMap<String, Share>,
}

/// Computes advantages and takes the optimiser steps of `iteration`.
pub(super) fn update<'a>(
    engine: &mut dyn Engine,
    episodes: &[Episode],
    pair_of: &dyn Fn(&str) -> &'a str,
    config: &TrainConfig,
    iteration: u32,
) -> Result<Update, EngineError> {
    let estimator = algo::find(&config.estimator).expect("the settings were checked");
    let signal = algo::signal(episodes, pair_of, estimator);
    let batches = batches(episodes, &signal, &config.batch, config.seed.wrapping_add(u64::from(iteration)));
    let mut update = Update { signal, ..Update::default() };
    for batch in &batches {
        let seen = engine.forward_backward(&batch.data, config.loss())?;
        let stepped = engine.optim_step(&config.optimizer.step(config.learning_rate_in(iteration)))?;
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

fn add_shares(shares: &mut BTreeMap<String, Share>, batch: &Batch, steps: usize) {
    for (skill, share) in &batch.shares {
        let sum = shares.entry(skill.clone()).or_default();
        sum.episodes += share.episodes;
        sum.tokens += share.tokens;
        sum.weight += share.weight / steps as f64;
    }
}
