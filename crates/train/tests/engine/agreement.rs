//! Engines that compute the same give the same numbers, and go on with each other's checkpoints.

use std::path::Path;

use basis_train::engines::{
    AdamW, Datum, Engine, EngineError, Loss, NAMES, Options, Precision, available, open, open_with,
};

use crate::support::{assert_close, data, fixture, gradient, lora, names, parity, request, sample_all, tensors};

const LOSSES: [Loss; 3] =
    [Loss::CrossEntropy, Loss::ClippedRatio { low: 0.8, high: 1.28 }, Loss::Cispo { low: 0.0, high: 1.28 }];

/// Clips and decays, so that all of a step is seen.
const STEP: AdamW =
    AdamW { learning_rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-5, weight_decay: 0.1, max_grad_norm: 0.5 };

/// The engines beside `local`.
fn others() -> impl Iterator<Item = &'static str> {
    names().filter(|name| *name != "local")
}

fn assert_relative(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1e-3), "{found} {expected}");
}

fn batch() -> Vec<Datum> {
    data(&[40, 3, 100, 128, 17, 2], 64)
}

#[test]
fn losses_counts_and_gradients_are_those_of_local() {
    for name in others() {
        for dir in [fixture(), parity("untied")] {
            let (mut other, mut local) = (open(name, &dir, 2).unwrap(), open("local", &dir, 2).unwrap());
            for loss in LOSSES {
                let [found, expected] =
                    [&mut other, &mut local].map(|engine| engine.forward_backward(&batch(), loss).unwrap());
                assert_eq!((found.targets, found.clipped), (expected.targets, expected.clipped));
                assert_relative(found.loss, expected.loss);
                assert_relative(found.weight, expected.weight);
                assert_relative(found.kl, expected.kl);
                assert_relative(found.entropy, expected.entropy);
                for engine in [&mut other, &mut local] {
                    engine.load(&dir).unwrap();
                }
                let [found, expected] = [&mut other, &mut local].map(|engine| gradient(&mut **engine, &batch(), loss));
                assert_close(&found, &expected, 1e-3);
            }
        }
    }
}

/// Trains and saves.
fn go_on(engine: &mut dyn Engine, steps: usize, dir: &Path) {
    for step in 0..steps {
        let loss = LOSSES[step % LOSSES.len()];
        engine.forward_backward(&batch(), loss).unwrap();
        engine.optim_step(&STEP).unwrap();
    }
    engine.save(dir, true).unwrap();
}

/// Two steps with each engine, then three with each on what each has saved.
fn check_checkpoints(options: &Options) {
    for other in others() {
        let dir = tempfile::tempdir().unwrap();
        let place = |names: &[&str]| dir.path().join(names.join("-"));
        for first in ["local", other] {
            go_on(&mut *open_with(first, &fixture(), options).unwrap(), 2, &place(&[first]));
            for second in ["local", other] {
                let mut engine = open_with(second, &place(&[first]), options).unwrap();
                assert_eq!(engine.info().weight_version, 2);
                go_on(&mut *engine, 3, &place(&[first, second]));
                assert_eq!(engine.info().weight_version, 5);
            }
        }
        assert_close(&tensors(&place(&[other])), &tensors(&place(&["local"])), 1e-4);
        let expected = tensors(&place(&["local", "local"]));
        for names in [["local", other], [other, "local"], [other, other]] {
            assert_close(&tensors(&place(&names)), &expected, 1e-4);
        }
    }
}

#[test]
fn steps_are_those_of_local_and_either_goes_on_with_what_the_other_saved() {
    check_checkpoints(&Options { threads: 2, ..Options::default() });
}

#[test]
fn steps_of_adapters_are_those_of_local_and_either_goes_on_with_what_the_other_saved() {
    check_checkpoints(&lora(3, &["q_proj", "v_proj", "o_proj", "up_proj"]));
}

#[test]
fn what_is_sampled_is_what_local_samples() {
    for name in others() {
        let requests: Vec<_> = (0..8)
            .map(|id| {
                let mut request = request(id, (0..=id as u32 * 5).collect(), 40);
                request.temperature = [0.0, 1.0, 0.7][id as usize % 3];
                request.stop = vec![63];
                request
            })
            .collect();
        let [found, expected] =
            [name, "local"].map(|name| sample_all(&mut *open(name, &fixture(), 2).unwrap(), requests.clone()));
        for (id, expected) in expected {
            assert_eq!((&found[&id].tokens, found[&id].stopped), (&expected.tokens, expected.stopped));
            let pairs = found[&id].logprobs.iter().zip(&expected.logprobs);
            assert!(pairs.into_iter().all(|(found, expected)| (found - expected).abs() < 1e-4));
        }
    }
}

#[test]
fn products_in_bf16_are_near_or_refused_by_name() {
    for name in others() {
        let options = Options { precision: Precision::Bf16, ..Options::default() };
        let mut engine = match open_with(name, &fixture(), &options) {
            Ok(engine) => engine,
            Err(EngineError::Invalid { reason }) if reason.starts_with("`engine.precision`") => continue,
            Err(error) => panic!("{error}"),
        };
        let expected = open(name, &fixture(), 2).unwrap().forward(&batch()).unwrap();
        for (found, expected) in engine.forward(&batch()).unwrap().concat().iter().zip(expected.concat()) {
            assert!((found - expected).abs() < 0.1, "{found} {expected}");
        }
        let first = engine.forward_backward(&batch(), Loss::CrossEntropy).unwrap();
        assert!(engine.optim_step(&STEP).unwrap().grad_norm.is_finite());
        let second = engine.forward_backward(&batch(), Loss::CrossEntropy).unwrap();
        assert!(second.loss < first.loss);
        let dir = tempfile::tempdir().unwrap();
        open_with(name, &parity("tied"), &options).unwrap().save(dir.path(), false).unwrap();
        assert_eq!(tensors(dir.path()), tensors(&parity("tied")), "the weights themselves are not rounded");
    }
}

#[test]
fn an_engine_that_is_not_there_says_what_is_missing() {
    match available("gpu") {
        Ok(()) => assert!(NAMES.contains(&"gpu")),
        Err(error @ EngineError::Unavailable { .. }) => {
            let expected = if cfg!(feature = "gpu") { "sees no GPU" } else { "--features gpu" };
            assert!(error.to_string().contains(expected), "{error}");
            assert!(matches!(open("gpu", &fixture(), 1), Err(EngineError::Unavailable { .. })));
        }
        Err(error) => panic!("{error}"),
    }
}
