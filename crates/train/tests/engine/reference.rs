//! The same numbers as transformers on the committed model (made by `fixtures/qwen3/make.py`).

use std::collections::BTreeMap;

use basis_train::engines::{Datum, Loss};
use serde::Deserialize;

use crate::support::{each_engine, fixture, gradient};

/// Both compute in fp32, in different orders.
const TOLERANCE: f32 = 1e-4;

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
    gradient_norms: BTreeMap<String, f32>,
    #[serde(default)]
    low: f32,
    #[serde(default)]
    high: f32,
}

fn reference() -> (Reference, Vec<Datum>) {
    let text = std::fs::read_to_string(fixture().join("reference.json")).unwrap();
    let reference: Reference = serde_json::from_str(&text).unwrap();
    let datum = |sequence: &Sequence| Datum {
        ids: sequence.ids.clone(),
        weights: sequence.weights.clone(),
        old_logprobs: sequence.old_logprobs.clone(),
        advantages: sequence.advantages.clone(),
    };
    let data = reference.data.iter().map(datum).collect();
    (reference, data)
}

#[test]
fn logprobs_are_those_of_transformers() {
    let (reference, data) = reference();
    each_engine(2, |mut engine| {
        for (found, expected) in engine.forward(&data).unwrap().iter().zip(&reference.data) {
            assert_eq!(found.len(), expected.logprobs.len());
            for (found, expected) in found.iter().zip(&expected.logprobs) {
                assert!((found - expected).abs() < TOLERANCE, "{found} {expected}");
            }
        }
    });
}

#[test]
fn losses_and_gradients_are_those_of_transformers() {
    let (reference, data) = reference();
    let Expected { low, high, .. } = reference.clipped_ratio;
    for (expected, loss) in
        [(&reference.cross_entropy, Loss::CrossEntropy), (&reference.clipped_ratio, Loss::ClippedRatio { low, high })]
    {
        each_engine(2, |mut engine| {
            let seen = engine.forward_backward(&data, loss).unwrap();
            assert!((seen.loss / expected.loss - 1.0).abs() < f64::from(TOLERANCE), "{} {}", seen.loss, expected.loss);
            engine.load(&fixture()).unwrap();
            let gradient = gradient(&mut *engine, &data, loss);
            assert_eq!(gradient.len(), expected.gradient_norms.len());
            for (name, expected) in &expected.gradient_norms {
                let norm = gradient[name].iter().map(|value| value * value).sum::<f32>().sqrt();
                assert!((norm / expected - 1.0).abs() < 1e-3, "{name}: {norm} {expected}");
            }
        });
    }
}
