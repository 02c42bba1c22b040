//! The same numbers as transformers on the committed models (made by `tests/parity/make.py`, whose versions stand in the files).

use std::collections::BTreeMap;
use std::path::PathBuf;

use basis_train::engines::{Datum, Loss, open};
use serde::Deserialize;

use crate::support::{gradient, names, parity};

/// Largest difference of a log-probability, and relative one of a loss: both compute in fp32, in different orders.
const TOLERANCE: f32 = 1e-4;
/// Largest difference of a gradient, relative to its norm.
const GRADIENT_TOLERANCE: f64 = 1e-3;

#[derive(Deserialize)]
struct Reference {
    data: Vec<Sequence>,
    cross_entropy: Expected,
    clipped_ratio: Expected,
}

#[derive(Deserialize)]
struct Sequence {
    ids: Vec<u32>,
    weights: Vec<f32>,
    old_logprobs: Vec<f32>,
    advantages: Vec<f32>,
    logprobs: Vec<f32>,
}

#[derive(Deserialize)]
struct Expected {
    loss: f64,
    /// Norm, and product with a fixed vector, of the gradient of each tensor.
    gradients: BTreeMap<String, [f64; 2]>,
    #[serde(default)]
    low: f32,
    #[serde(default)]
    high: f32,
}

/// Each committed model with its reference.
fn each(check: impl Fn(PathBuf, Reference, Vec<Datum>)) {
    for name in ["tied", "untied"] {
        let dir = parity(name);
        let text = std::fs::read_to_string(dir.join("reference.json")).unwrap();
        let reference: Reference = serde_json::from_str(&text).unwrap();
        let datum = |sequence: &Sequence| Datum {
            ids: sequence.ids.clone(),
            weights: sequence.weights.clone(),
            old_logprobs: sequence.old_logprobs.clone(),
            advantages: sequence.advantages.clone(),
        };
        let data = reference.data.iter().map(datum).collect();
        check(dir, reference, data);
    }
}

#[test]
fn logprobs_are_those_of_transformers() {
    each(|dir, reference, data| {
        for engine in names() {
            let found = open(engine, &dir, 2).unwrap().forward(&data).unwrap();
            for (found, expected) in found.iter().zip(&reference.data) {
                assert_eq!(found.len(), expected.logprobs.len());
                for (found, expected) in found.iter().zip(&expected.logprobs) {
                    assert!((found - expected).abs() < TOLERANCE, "{found} {expected}");
                }
            }
        }
    });
}

#[test]
fn losses_and_gradients_are_those_of_transformers() {
    each(|dir, reference, data| {
        let Expected { low, high, .. } = reference.clipped_ratio;
        let ratio = Loss::ClippedRatio { low, high };
        for (expected, loss) in [(&reference.cross_entropy, Loss::CrossEntropy), (&reference.clipped_ratio, ratio)] {
            for engine in names() {
                let seen = open(engine, &dir, 2).unwrap().forward_backward(&data, loss).unwrap();
                let error = seen.loss / expected.loss - 1.0;
                assert!(error.abs() < f64::from(TOLERANCE), "{} {}", seen.loss, expected.loss);
                let gradient = gradient(&mut *open(engine, &dir, 2).unwrap(), &data, loss);
                assert_eq!(gradient.len(), expected.gradients.len());
                for (name, &[norm, product]) in &expected.gradients {
                    let [found_norm, found_product] = measured(&gradient[name]);
                    assert!((found_norm / norm - 1.0).abs() < GRADIENT_TOLERANCE, "{name}: {found_norm} {norm}");
                    // The vector's values are at most 6.
                    let most = GRADIENT_TOLERANCE * norm * 6.0 * (gradient[name].len() as f64).sqrt();
                    assert!((found_product - product).abs() < most, "{name}: {found_product} {product}");
                }
            }
        }
    });
}

/// As `gradients` in `make.py`.
fn measured(gradient: &[f32]) -> [f64; 2] {
    let along = |at: usize| ((at * 7919) % 13) as f64 - 6.0;
    let values = || gradient.iter().map(|&value| f64::from(value));
    [values().map(|value| value * value).sum::<f64>().sqrt(), values().enumerate().map(|(at, v)| v * along(at)).sum()]
}
