//! Episodes that the infrastructure loses do not bend the gradient: with one in twenty lost at random the estimate is, in expectation, the
//! one without; counted as zeros they would bend it.

use basis_gym::episode::Episode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Estimator, GroupMean, Rloo, signal};
use crate::testing::{episode, invalid};

/// Samples of a task.
const GROUP: usize = 8;
/// Tasks; the standard error falls with their root.
const TASKS: usize = 40_000;
/// The policy succeeds this often, and this share of episodes is lost.
const SUCCESS: f64 = 0.35;
const LOST: f64 = 0.05;

/// What becomes of a lost episode.
#[derive(Clone, Copy)]
enum Lost {
    /// None is lost.
    Never,
    /// It is invalid.
    Invalid,
    /// It is, wrongly, a failure.
    Zero,
}

/// Mean and standard error over tasks of the gradient by the logit of success, `(1/n) Σ Aᵢ ∂ log π(aᵢ)`, where `n` counts valid episodes.
/// The true gradient is `p (1 - p)`.
fn gradient(estimator: &dyn Estimator, lost: Lost, seed: u64) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(TASKS);
    for _ in 0..TASKS {
        let (mut episodes, mut scores): (Vec<Episode>, Vec<f64>) = (Vec::new(), Vec::new());
        for _ in 0..GROUP {
            let success = rng.random_bool(SUCCESS);
            let reward = f64::from(u8::from(success));
            scores.push(reward - SUCCESS);
            episodes.push(match (lost, rng.random_bool(LOST)) {
                (Lost::Invalid, true) => invalid("edit", "a"),
                (Lost::Zero, true) => episode("edit", "a", 0.0),
                _ => episode("edit", "a", reward),
            });
        }
        let valid = episodes.iter().filter(|episode| episode.reward().is_some()).count();
        let signal = signal(&episodes, &|_| "", estimator);
        let sum: f64 = signal.credits.iter().map(|credit| credit.advantage * scores[credit.episode]).sum();
        values.push(sum / valid.max(1) as f64);
    }
    let mean = values.iter().sum::<f64>() / TASKS as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (TASKS - 1) as f64;
    (mean, (variance / TASKS as f64).sqrt())
}

/// Difference of two estimates in standard errors.
fn distance((one, one_error): (f64, f64), (other, other_error): (f64, f64)) -> f64 {
    (one - other).abs() / one_error.hypot(other_error)
}

#[test]
fn lost_episodes_leave_the_gradient_as_it_is_in_expectation() {
    let truth = (SUCCESS * (1.0 - SUCCESS), 0.0);
    let (whole, lossy) = (gradient(&Rloo, Lost::Never, 1), gradient(&Rloo, Lost::Invalid, 2));
    assert!(distance(whole, truth) < 4.0, "{whole:?}");
    assert!(distance(lossy, truth) < 4.0 && distance(lossy, whole) < 4.0, "{lossy:?} {whole:?}");
}

#[test]
fn the_group_mean_keeps_its_scale_within_one_percent() {
    // Its expectation is (n - 1) / n of the gradient, and n is a little smaller with losses.
    let (whole, lossy) = (gradient(&GroupMean, Lost::Never, 3), gradient(&GroupMean, Lost::Invalid, 4));
    let expected = |n: f64| (SUCCESS * (1.0 - SUCCESS) * (n - 1.0) / n, 0.0);
    assert!(distance(whole, expected(8.0)) < 4.0, "{whole:?}");
    assert!((lossy.0 / whole.0 - 1.0).abs() < 0.01 + 4.0 * (lossy.1 + whole.1) / whole.0, "{lossy:?} {whole:?}");
}

#[test]
fn counted_as_zeros_they_would_bend_it() {
    let truth = (SUCCESS * (1.0 - SUCCESS), 0.0);
    let bent = gradient(&Rloo, Lost::Zero, 5);
    assert!(distance(bent, truth) > 6.0 && bent.0 < truth.0, "{bent:?}");
}
