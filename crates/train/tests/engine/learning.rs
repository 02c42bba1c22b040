//! Training: it learns, it is reproducible, and it never destroys weights.

use basis_train::engines::{AdamW, Datum, Engine, EngineError, Loss};

use crate::support::{data, each_engine, fixture, numbers, request, sample_all, tensors};

const STEP: AdamW =
    AdamW { learning_rate: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01, max_grad_norm: 1.0 };

fn saved(engine: &dyn Engine) -> crate::support::Tensors {
    let dir = tempfile::tempdir().unwrap();
    engine.save(dir.path(), false).unwrap();
    tensors(dir.path())
}

/// Sequences whose second half repeats the first; only the second half counts.
fn copies(seed: u64, count: usize) -> Vec<Datum> {
    let mut number = numbers(seed, 16);
    let mut datum = || {
        let half: Vec<u32> = (0..4).map(|_| number()).collect();
        let weights = (0..8).map(|at| if at < 4 { 0.0 } else { 1.0 / 64.0 }).collect();
        Datum { ids: [&half[..], &[63], &half].concat(), weights, ..Datum::default() }
    };
    (0..count).map(|_| datum()).collect()
}

#[test]
fn it_learns_to_copy() {
    each_engine(2, |mut engine| {
        let batch = copies(1, 16);
        let mut loss = || {
            let seen = engine.forward_backward(&batch, Loss::CrossEntropy).unwrap();
            engine.optim_step(&STEP).unwrap();
            seen.loss / seen.weight
        };
        let first = loss();
        let last = (0..80).map(|_| loss()).last().unwrap();
        assert!(first > 3.0 && last < 0.1, "from {first} to {last}");
        assert_eq!(engine.info().weight_version, 81);
        let mut greedy = request(0, batch[0].ids[..5].to_vec(), 4);
        greedy.temperature = 0.0;
        assert_eq!(sample_all(&mut *engine, vec![greedy])[&0].tokens, batch[0].ids[5..]);
    });
}

#[test]
fn the_clipped_ratio_raises_what_had_an_advantage_and_lowers_the_rest() {
    each_engine(1, |mut engine| {
        let mut batch = data(&[20, 30], 64);
        let before = engine.forward(&batch).unwrap();
        for (datum, logprobs) in batch.iter_mut().zip(&before) {
            datum.old_logprobs.clone_from(logprobs);
        }
        engine.forward_backward(&batch, Loss::ClippedRatio { low: 0.8, high: 1.28 }).unwrap();
        engine.optim_step(&AdamW { learning_rate: 1e-4, ..STEP }).unwrap();
        let after = engine.forward(&batch).unwrap();
        let gain = |at: usize| -> f32 {
            let changes = after[at].iter().zip(&before[at]).map(|(after, before)| after - before);
            changes.zip(&batch[at].advantages).zip(&batch[at].weights).map(|((change, a), w)| change * a * w).sum()
        };
        assert!(gain(0) > 0.0 && gain(1) > 0.0);
    });
}

#[test]
fn the_same_data_give_the_same_weights_bit_for_bit() {
    each_engine(2, |mut engine| {
        let mut run = || {
            engine.load(&fixture()).unwrap();
            for seed in 0..3 {
                engine.forward_backward(&data(&[40, 3, 60 + seed, 17, 128], 64), Loss::CrossEntropy).unwrap();
                engine.forward_backward(&data(&[10 + seed], 64), Loss::CrossEntropy).unwrap();
                engine.optim_step(&STEP).unwrap();
            }
            saved(&*engine)
        };
        // The second run must forget the moments of the first.
        assert_eq!(run(), run());
    });
}

#[test]
fn an_infinite_loss_changes_nothing_and_training_goes_on() {
    each_engine(2, |mut engine| {
        let before = saved(&*engine);
        let mut batch = data(&[12], 64);
        batch[0].weights[4] = f32::INFINITY;
        engine.forward_backward(&batch, Loss::CrossEntropy).unwrap();
        assert!(matches!(engine.optim_step(&STEP), Err(EngineError::NotFinite { .. })));
        assert_eq!((saved(&*engine), engine.info().weight_version), (before, 0));
        engine.forward_backward(&data(&[12], 64), Loss::CrossEntropy).unwrap();
        assert!(engine.optim_step(&STEP).unwrap().grad_norm.is_finite());
    });
}

#[test]
fn a_step_is_that_of_the_paper() {
    each_engine(1, |mut engine| {
        // Without a gradient only decay acts, and not on norms and embeddings.
        let before = saved(&*engine);
        let stats = engine.optim_step(&AdamW { learning_rate: 0.5, weight_decay: 0.1, ..STEP }).unwrap();
        assert_eq!((stats.grad_norm, stats.weight_version), (0.0, 1));
        for (name, after) in saved(&*engine) {
            let kept = if name.contains("norm") || name.contains("embed") { 1.0 } else { 0.95 };
            let close = |(after, before): (&f32, &f32)| (after - kept * before).abs() < 1e-6;
            assert!(after.iter().zip(&before[&name]).all(close), "{name}");
        }
        // The first step moves every value that has a gradient by the learning rate.
        let before = saved(&*engine);
        engine.forward_backward(&data(&[100], 64), Loss::CrossEntropy).unwrap();
        let step = AdamW { weight_decay: 0.0, epsilon: 0.0, beta1: 0.0, beta2: 0.0, ..STEP };
        engine.optim_step(&step).unwrap();
        for (name, after) in saved(&*engine) {
            let moved = after.iter().zip(&before[&name]).map(|(after, before)| (after - before).abs());
            let moves = moved.filter(|moved| *moved > 0.0).collect::<Vec<_>>();
            assert!(!moves.is_empty() && moves.iter().all(|moved| (moved - 3e-3).abs() < 1e-5), "{name}");
        }
    });
}
