//! What a step on one skill does to the others.
//!
//! `M[a][b] = J_b(θ + Δ_a) - J_b(θ)`, where `Δ_a` is the optimiser step from skill `a` alone and
//! `J_b(θ) = Σ A · p_θ / p_old  /  Σ |A|` over sampled ids of skill `b`: the objective whose gradient is the policy gradient, so
//! that `M` is to first order what the step adds to the expected reward of `b`, as a share of what its advantages offer. It is
//! measured, not linearised: the step is taken, `J_b` is computed with the new weights, and weights and optimiser are put back.
//!
//! The sets of each skill are halved. Steps are made from one half and measured on the other, so that the diagonal says what is
//! learned about a skill rather than how well its sample is remembered. The step has the second moments of the run and no
//! momentum, which would carry all skills into each of them. The error is that of a sum over the measured sets.

use std::collections::BTreeMap;
use std::path::Path;

use basis_gym::episode::Episode;
use serde::Serialize;

use super::TrainConfig;
use crate::algo::{Credit, Signal};
use crate::batch::{datum, sets};
use crate::engines::{AdamW, Datum, Engine, EngineError};

const EFFECT: &str = "interference/";
const ERROR: &str = "interference_error/";

/// A change, and its standard error if there is one.
type Measured = (f64, Option<f64>);

/// The matrix.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Interference {
    /// By the skill that the step is made from, then by the skill that it is measured on.
    pub effects: BTreeMap<String, BTreeMap<String, Effect>>,
}

/// What a step on one skill does to one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Effect {
    /// Change of the objective.
    pub change: f64,
    /// Standard error of `change`; `None` when it was measured on one set.
    pub error: Option<f64>,
}

impl Interference {
    /// As numbers with names, for the metrics.
    pub fn to_metrics(&self) -> Vec<(String, f64)> {
        let mut values = Vec::new();
        for (from, effects) in &self.effects {
            for (to, effect) in effects {
                values.push((format!("{EFFECT}{from}/{to}"), effect.change));
                values.extend(effect.error.map(|error| (format!("{ERROR}{from}/{to}"), error)));
            }
        }
        values
    }

    /// The mean of the matrices in several rows of metrics, and how many there are. A change whose error is unknown is left out where
    /// other rows know theirs.
    pub fn mean<'a>(rows: impl Iterator<Item = &'a BTreeMap<String, f64>>) -> (Self, usize) {
        let mut found = BTreeMap::<(&str, &str), Vec<Measured>>::new();
        let mut matrices = 0;
        for row in rows {
            let cells =
                row.iter().filter_map(|(name, value)| Some((name.strip_prefix(EFFECT)?.split_once('/')?, *value)));
            let mut any = false;
            for ((from, to), change) in cells {
                any = true;
                let error = row.get(&format!("{ERROR}{from}/{to}")).copied();
                found.entry((from, to)).or_default().push((change, error));
            }
            matrices += usize::from(any);
        }
        let mut mean = Self::default();
        for ((from, to), mut values) in found {
            if values.iter().any(|(_, error)| error.is_some()) {
                values.retain(|(_, error)| error.is_some());
            }
            let count = values.len() as f64;
            let squares: Option<f64> = values.iter().map(|(_, error)| error.map(|error| error * error)).sum();
            let change = values.iter().map(|(change, _)| change).sum::<f64>() / count;
            let effect = Effect { change, error: squares.map(|squares| squares.sqrt() / count) };
            mean.effects.entry(from.to_owned()).or_default().insert(to.to_owned(), effect);
        }
        (mean, matrices)
    }
}

/// One half of each skill to step from, and one to measure on, set by set.
struct Half {
    step: Vec<Datum>,
    measured: Vec<Vec<Datum>>,
}

/// Measures the matrix at the weights of `engine`, which are afterwards as before; `scratch` keeps them in between. Skills
/// with fewer than two sets with signal are left out.
pub(super) fn measure(
    engine: &mut dyn Engine,
    (episodes, signal): (&[Episode], &Signal),
    (config, learning_rate): (&TrainConfig, f64),
    scratch: &Path,
) -> Result<Interference, EngineError> {
    let halves = halves(episodes, signal, config);
    let mut matrix = Interference::default();
    if halves.is_empty() {
        return Ok(matrix);
    }
    engine.save(scratch, true)?;
    let step = AdamW { beta1: 0.0, weight_decay: 0.0, ..config.optimizer.step(learning_rate) };
    let mut before: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (skill, half) in &halves {
        before.insert(skill, objective(engine, &half.measured)?);
    }
    for (from, half) in &halves {
        engine.forward_backward(&half.step, config.loss())?;
        engine.optim_step(&step)?;
        for (to, half) in &halves {
            let after = objective(engine, &half.measured)?;
            let changes: Vec<f64> =
                after.iter().zip(&before[to.as_str()]).map(|(after, before)| after - before).collect();
            matrix.effects.entry(from.clone()).or_default().insert(to.clone(), Effect::of(&changes));
        }
        engine.load(scratch)?;
    }
    Ok(matrix)
}

fn halves(episodes: &[Episode], signal: &Signal, config: &TrainConfig) -> BTreeMap<String, Half> {
    let mut halves = BTreeMap::new();
    for (skill, sets) in sets(episodes, signal) {
        let scale = config.batch.advantage_scale.get(skill).copied().unwrap_or(1.0);
        let data = |set: &Vec<Credit>| -> Vec<Datum> {
            let each = set.iter().flat_map(|credit| {
                let advantage = (credit.advantage * scale) as f32;
                episodes[credit.episode].sequences().filter_map(move |sequence| datum(sequence, 1.0, advantage))
            });
            each.collect()
        };
        let sets: Vec<Vec<Datum>> = sets.iter().map(data).filter(|set| !set.is_empty()).collect();
        if sets.len() < 2 {
            continue;
        }
        let (mut step, mut measured) = (Vec::new(), Vec::new());
        for (index, set) in sets.into_iter().enumerate() {
            if index % 2 == 0 { step.extend(set) } else { measured.push(set) }
        }
        let targets = step.iter().flat_map(|datum| &datum.weights).filter(|weight| **weight != 0.0).count();
        let one = 1.0 / targets.max(1) as f32;
        step.iter_mut().flat_map(|datum| &mut datum.weights).for_each(|weight| *weight *= one);
        halves.insert(skill.to_owned(), Half { step, measured });
    }
    halves
}

/// What each set adds to `J`.
fn objective(engine: &mut dyn Engine, sets: &[Vec<Datum>]) -> Result<Vec<f64>, EngineError> {
    let mut sums = Vec::with_capacity(sets.len());
    let mut offered = 0.0;
    for set in sets {
        let mut sum = 0.0;
        for (datum, logprobs) in set.iter().zip(engine.forward(set)?) {
            let sampled = (0..logprobs.len()).filter(|at| datum.weights[*at] != 0.0);
            for at in sampled {
                let advantage = f64::from(datum.advantages[at]);
                sum += advantage * f64::from(logprobs[at] - datum.old_logprobs[at]).exp();
                offered += advantage.abs();
            }
        }
        sums.push(sum);
    }
    Ok(sums.into_iter().map(|sum| sum / f64::max(offered, f64::MIN_POSITIVE)).collect())
}

impl Effect {
    /// Of what each of several independent sets adds.
    fn of(changes: &[f64]) -> Self {
        let count = changes.len() as f64;
        let change: f64 = changes.iter().sum();
        let spread: f64 = changes.iter().map(|part| (part - change / count).powi(2)).sum();
        let error = (changes.len() > 1).then(|| (count / (count - 1.0) * spread).sqrt());
        Self { change, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_a_sum_of_independent_parts() {
        let effect = Effect::of(&[1.0, 3.0]);
        // Their deviation is √2, and two of them make a sum.
        assert_eq!((effect.change, effect.error), (4.0, Some(2.0)));
        assert_eq!(Effect::of(&[1.0]).error, None);
    }

    #[test]
    fn the_mean_over_iterations_comes_back_from_the_metrics() {
        let matrix = |change, error| {
            let effect = Effect { change, error };
            let effects = BTreeMap::from([("edit".to_owned(), BTreeMap::from([("review".to_owned(), effect)]))]);
            Interference { effects }.to_metrics().into_iter().collect::<BTreeMap<String, f64>>()
        };
        let rows = [matrix(1.0, Some(3.0)), BTreeMap::from([("share/edit".to_owned(), 1.0)]), matrix(3.0, Some(4.0))];
        let (mean, matrices) = Interference::mean(rows.iter());
        assert_eq!((mean.effects["edit"]["review"], matrices), (Effect { change: 2.0, error: Some(2.5) }, 2));
        assert_eq!(Interference::mean([matrix(1.0, None)].iter()).0.effects["edit"]["review"].error, None);
        let known = Interference::mean([matrix(1.0, None), matrix(3.0, Some(4.0))].iter()).0;
        assert_eq!(known.effects["edit"]["review"], Effect { change: 3.0, error: Some(4.0) });
    }
}
