//! Whether data fit a model, for the engines that compute here.

use super::local::Config;
use super::{Datum, EngineError, Loss};

/// Which vectors of a datum are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Ids,
    Weights,
    Advantages,
}

impl Needs {
    pub(super) fn of(loss: Loss) -> Needs {
        if loss.compares() { Needs::Advantages } else { Needs::Weights }
    }
}

/// Says what is wrong with the first datum that does not fit.
pub(super) fn check(data: &[Datum], needs: Needs, config: &Config) -> Result<(), EngineError> {
    let (context, vocab) = (config.max_position_embeddings, config.vocab_size);
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
