//! What saves memory changes no result, or only as far as it says.

use basis_train::engines::local::Local;
use basis_train::engines::{Datum, Engine, Loss, Options, Precision, open_with};

use crate::support::{assert_close, data, fresh, gradient, names, odd_config, parity, request, sample_all};

#[test]
fn activations_that_are_computed_again_give_the_same_gradients_in_local_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    fresh(odd_config(), dir.path());
    let batch = data(&[30, 12, 150, 9, 77], 37);
    for name in names() {
        let [kept, recomputed] = [false, true].map(|recompute| {
            let options = Options { threads: 2, recompute, ..Options::default() };
            let mut engine = open_with(name, dir.path(), &options).unwrap();
            gradient(&mut *engine, &batch, Loss::ClippedRatio { low: 0.8, high: 1.28 })
        });
        if name == "local" {
            assert_eq!(kept, recomputed);
        }
        assert_close(&recomputed, &kept, 1e-5);
    }
}

fn halved(dir: &std::path::Path) -> Local {
    Local::open_with(dir, &Options { threads: 2, precision: Precision::Bf16, ..Options::default() }).unwrap()
}

#[test]
fn a_bf16_model_computes_the_same_with_matrices_kept_as_bf16() {
    let batch = data(&[20, 128, 3], 64);
    let full = Local::open(&parity("untied"), 2).unwrap().forward(&batch).unwrap();
    assert_eq!(halved(&parity("untied")).forward(&batch).unwrap(), full);
}

#[test]
fn matrices_kept_as_bf16_give_sampled_logprobs_that_are_those_recomputed_and_train_the_unrounded_weights() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = halved(&parity("tied"));
    let sampled = sample_all(&mut engine, vec![request(0, vec![1, 2, 3], 60)]).remove(&0).unwrap();
    let ids = [&[1, 2, 3][..], &sampled.tokens].concat();
    let recomputed = engine.forward(&[Datum { ids, ..Datum::default() }]).unwrap().remove(0);
    for (sampled, recomputed) in sampled.logprobs.iter().zip(&recomputed[2..]) {
        assert!((sampled - recomputed).abs() < 1e-4, "{sampled} {recomputed}");
    }
    engine.save(dir.path(), false).unwrap();
    assert_eq!(crate::support::tensors(dir.path()), crate::support::tensors(&parity("tied")));
}
