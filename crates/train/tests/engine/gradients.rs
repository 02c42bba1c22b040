//! Gradients against finite differences, for every kind of parameter and both losses.

use basis_train::engines::local::Local;
use basis_train::engines::{Datum, Engine, EngineError, Loss, Options};

use crate::support::{
    data, each_engine_on, each_engine_with, fresh, gradient, lora, numbers, odd_config, overwrite, tensors,
};

const RATIO: Loss = Loss::ClippedRatio { low: 0.8, high: 1.28 };

/// Widens the weights: gradients of a fresh model are too small against the rounding of losses.
fn widen(dir: &std::path::Path) {
    for (index, (name, mut values)) in tensors(dir).into_iter().enumerate() {
        let mut number = numbers(index as u64, 1000);
        let middle = if name.contains("norm") { 1.0 } else { 0.0 };
        values.iter_mut().for_each(|value| *value = middle + (number() as f32 / 500.0 - 1.0) * 0.5);
        overwrite(dir, &name, &values);
    }
}

/// The slope of the loss along a direction in one tensor.
fn slope(
    engine: &mut dyn Engine,
    dir: &std::path::Path,
    name: &str,
    along: &[f32],
    batch: &[Datum],
    loss: Loss,
) -> f64 {
    const STEP: f32 = 3e-3;
    let values = tensors(dir).remove(name).unwrap();
    let mut loss_at = |step: f32| {
        let moved: Vec<f32> = values.iter().zip(along).map(|(value, along)| value + step * along).collect();
        overwrite(dir, name, &moved);
        engine.load(dir).unwrap();
        engine.forward_backward(batch, loss).unwrap().loss
    };
    let slope = (loss_at(STEP) - loss_at(-STEP)) / f64::from(2.0 * STEP);
    overwrite(dir, name, &values);
    engine.load(dir).unwrap();
    slope
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[test]
fn gradients_are_finite_differences_of_the_loss() {
    let dir = tempfile::tempdir().unwrap();
    fresh(odd_config(), dir.path());
    widen(dir.path());
    each_engine_on(dir.path(), 2, |engine| check(engine, dir.path()));
}

#[test]
fn gradients_of_adapters_are_finite_differences_of_the_loss() {
    let dir = tempfile::tempdir().unwrap();
    let (base, adapted) = (dir.path().join("base"), dir.path().join("adapted"));
    fresh(odd_config(), &base);
    widen(&base);
    Local::open_with(&base, &lora(3, &["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]))
        .unwrap()
        .save(&adapted, true)
        .unwrap();
    widen(&adapted);
    each_engine_on(&adapted, 2, |engine| check(engine, &adapted));
}

fn check(mut engine: Box<dyn Engine>, dir: &std::path::Path) {
    let mut batch = data(&[3, 9, 14, 70], 37);
    // Ratios near a bound would make the loss bend within a step.
    let logprobs = engine.forward(&batch).unwrap();
    for (datum, logprobs) in batch.iter_mut().zip(logprobs) {
        let shift = |at: usize| [0.0, 0.6, -0.7, 0.1][at % 4];
        datum.old_logprobs = logprobs.iter().enumerate().map(|(at, logprob)| logprob + shift(at)).collect();
    }
    for loss in [Loss::CrossEntropy, RATIO] {
        for (name, gradient) in gradient(&mut *engine, &batch, loss) {
            let norm = dot(&gradient, &gradient).sqrt();
            assert!(norm > 1e-3, "{name} has a gradient");
            let steepest: Vec<f32> = gradient.iter().map(|value| value / norm as f32).collect();
            let found = slope(&mut *engine, dir, &name, &steepest, &batch, loss);
            assert!((found / norm - 1.0).abs() < 0.02, "{name}, {loss:?}: slope {found}, norm {norm}");
            let mut number = numbers(5, 2);
            let scale = 1.0 / (gradient.len() as f32).sqrt();
            let random: Vec<f32> = gradient.iter().map(|_| if number() == 0 { scale } else { -scale }).collect();
            let found = slope(&mut *engine, dir, &name, &random, &batch, loss);
            let expected = dot(&gradient, &random);
            assert!((found - expected).abs() < 0.02 * norm, "{name}, {loss:?}: slope {found}, expected {expected}");
        }
    }
}

#[test]
fn gradients_of_several_batches_add_up() {
    let dir = tempfile::tempdir().unwrap();
    fresh(odd_config(), dir.path());
    let batch = data(&[30, 12, 150, 9, 77], 37);
    let norm = |engine: &mut dyn Engine| {
        let step = basis_train::engines::AdamW {
            learning_rate: 0.0,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 0.0,
        };
        engine.optim_step(&step).unwrap().grad_norm
    };
    each_engine_on(dir.path(), 2, |mut engine| {
        let whole = engine.forward_backward(&batch, RATIO).unwrap();
        let expected = norm(&mut *engine);
        let parts: Vec<_> = batch.chunks(2).map(|part| engine.forward_backward(part, RATIO).unwrap()).collect();
        assert!((norm(&mut *engine) / expected - 1.0).abs() < 1e-5);
        assert!((parts.iter().map(|part| part.loss).sum::<f64>() / whole.loss - 1.0).abs() < 1e-5);
        assert_eq!(parts.iter().map(|part| part.targets).sum::<usize>(), whole.targets);
        assert!(whole.clipped > 0 && whole.clipped < whole.targets && whole.kl > 0.0);
        let entropy = whole.entropy / whole.targets as f64;
        assert!((entropy - 37_f64.ln()).abs() < 0.1, "a fresh model is nearly uniform: {entropy}");
    });
}

#[test]
fn data_that_do_not_fit_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    fresh(odd_config(), dir.path());
    each_engine_on(dir.path(), 1, refuses_data_that_do_not_fit);
}

fn refuses_data_that_do_not_fit(mut engine: Box<dyn Engine>) {
    let long = data(&[201], 37);
    assert!(matches!(engine.forward_backward(&long, RATIO), Err(EngineError::TooLong { length: 201, context: 200 })));
    let mut batch = data(&[5, 5], 37);
    batch[1].ids[2] = 37;
    let text = |result: Result<_, EngineError>| result.map(|_: Vec<_>| ()).unwrap_err().to_string();
    assert_eq!(text(engine.forward(&batch)), "datum 1: id 37 is outside the vocabulary of 37");
    batch[1].ids[2] = 0;
    batch[0].advantages.pop();
    let error = engine.forward_backward(&batch, RATIO).unwrap_err();
    assert_eq!(error.to_string(), "datum 0: `advantages` has 3 values, expected 4");
    assert!(engine.forward_backward(&batch, Loss::CrossEntropy).is_ok());
    assert!(engine.forward(&[Datum::default()]).unwrap()[0].is_empty());
}

/// Episodes of one task: some ids in common, a repeated one, one that is the beginning of another, one on its own.
fn alike() -> Vec<Datum> {
    let mut batch = data(&[90, 90, 60, 40, 130, 90, 50], 37);
    let first = batch[0].ids.clone();
    for (index, common) in [(1, 50), (2, 60), (3, 30), (4, 70), (5, 90)] {
        batch[index].ids[..common].copy_from_slice(&first[..common]);
    }
    batch
}

#[test]
fn sequences_that_begin_alike_give_what_they_give_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    fresh(odd_config(), dir.path());
    widen(dir.path());
    for recompute in [false, true] {
        let options = Options { threads: 2, recompute, ..Options::default() };
        each_engine_with(dir.path(), &options, |engine| gives_what_sequences_give_one_by_one(engine, dir.path()));
    }
}

fn gives_what_sequences_give_one_by_one(mut engine: Box<dyn Engine>, dir: &std::path::Path) {
    let batch = alike();
    let together = engine.forward(&batch).unwrap();
    for (datum, together) in batch.iter().zip(&together) {
        let alone = engine.forward(std::slice::from_ref(datum)).unwrap().remove(0);
        assert!(alone.iter().zip(together).all(|(alone, together)| (alone - together).abs() < 1e-4));
    }
    let seen = engine.forward_backward(&batch, RATIO).unwrap();
    engine.load(dir).unwrap();
    let alone: Vec<_> = batch.iter().map(|datum| gradient(&mut *engine, std::slice::from_ref(datum), RATIO)).collect();
    for (name, together) in gradient(&mut *engine, &batch, RATIO) {
        let sum = |at: usize| alone.iter().map(|gradient| f64::from(gradient[&name][at])).sum::<f64>();
        let errors: Vec<f32> =
            together.iter().enumerate().map(|(at, &value)| (f64::from(value) - sum(at)) as f32).collect();
        let (error, norm) = (dot(&errors, &errors).sqrt(), dot(&together, &together).sqrt());
        assert!(error < 1e-3 * norm, "{name}: {error} of {norm}");
    }
    assert_eq!(seen.targets, batch.iter().flat_map(|datum| &datum.weights).filter(|&&weight| weight != 0.0).count());
}
