//! Which checkpoint an engine begins with, given the adapters that are asked for, and which it may load later.

use std::path::Path;

use super::super::super::{EngineError, Lora};
use super::super::model::weights::Model;
use super::super::training::adamw::Moments;
use super::{Checkpoint, Trained, fresh_adapters, has_adapters, load, load_adapters};

/// Seed of fresh adapters: a run's seed decides what is sampled, not where training begins.
const ADAPTER_SEED: u64 = 0;

/// Reads a checkpoint. A directory of adapters is gone on with; beside weights, new ones are made if they are asked for.
pub(crate) fn open(dir: &Path, lora: Option<&Lora>) -> Result<Checkpoint, EngineError> {
    let mut checkpoint = load(dir)?;
    let invalid = |reason: String| EngineError::Invalid { reason };
    match (lora, &checkpoint.adapters) {
        (Some(lora), None) => {
            let trained = fresh_adapters(lora.clone(), dir, &checkpoint.model, ADAPTER_SEED);
            checkpoint.adapters = Some(trained.map_err(invalid)?);
            (checkpoint.moments, checkpoint.weight_version) = (Moments::default(), 0);
        }
        (Some(lora), Some(Trained { adapters, .. })) if !adapters.config.is_like(lora) => {
            let found = &adapters.config;
            return Err(invalid(format!("`{}` has the adapters {found:?}, asked for were {lora:?}", dir.display())));
        }
        _ => {}
    }
    Ok(checkpoint)
}

/// What takes the place of what is trained.
pub(crate) enum Found {
    Weights(Model),
    Adapters(Trained),
}

/// Reads what an engine with this model, or these adapters beside it, may go on with; its moments and its weight version.
pub(crate) fn reload(
    dir: &Path,
    model: &Model,
    trained: Option<&Trained>,
) -> Result<(Found, Moments, u64), EngineError> {
    let other = |file: &str| EngineError::Damaged {
        path: dir.join(file),
        reason: "it describes another model than the one in memory; open it as a new engine".to_owned(),
    };
    match trained {
        Some(trained) if has_adapters(dir) => {
            let (found, moments, weight_version) = load_adapters(dir, model)?;
            if !found.adapters.config.is_like(&trained.adapters.config) || found.base != trained.base {
                return Err(other("adapter_config.json"));
            }
            Ok((Found::Adapters(found), moments, weight_version))
        }
        trained => {
            let found = load(dir)?;
            if found.model.config != model.config || found.adapters.is_some() || trained.is_some() {
                return Err(other("config.json"));
            }
            Ok((Found::Weights(found.model), found.moments, found.weight_version))
        }
    }
}
