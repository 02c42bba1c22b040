//! Checkpoints: nothing is lost, and damage is named.

use std::fs;
use std::path::Path;

use basis_train::engines::local::Local;
use basis_train::engines::{AdamW, Engine, EngineError, Loss, NAMES, open};

use crate::support::{data, each_engine, fixture, fresh, odd_config, parity, tensors};

const STEP: AdamW =
    AdamW { learning_rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, max_grad_norm: 1.0 };

fn train(engine: &mut dyn Engine, seed: usize) {
    engine.forward_backward(&data(&[20 + seed, 50], 64), Loss::CrossEntropy).unwrap();
    engine.optim_step(&STEP).unwrap();
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(file).collect();
    files.sort();
    files
}

#[test]
fn a_saved_engine_goes_on_bit_for_bit() {
    each_engine(2, |mut engine| {
        let dir = tempfile::tempdir().unwrap();
        let (middle, first, second) = (dir.path().join("middle"), dir.path().join("first"), dir.path().join("second"));
        train(&mut *engine, 0);
        engine.save(&middle, true).unwrap();
        train(&mut *engine, 1);
        engine.save(&first, true).unwrap();
        let mut engine = open(engine.info().engine, &middle, 2).unwrap();
        assert_eq!(engine.info().weight_version, 1);
        train(&mut *engine, 1);
        engine.save(&second, true).unwrap();
        assert!(files(&first) == files(&second));
    });
}

#[test]
fn a_model_that_transformers_wrote_is_saved_with_the_same_values() {
    each_engine(1, |engine| {
        let dir = tempfile::tempdir().unwrap();
        engine.save(dir.path(), true).unwrap();
        assert_eq!(tensors(dir.path()), tensors(&fixture()));
        let names: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["config.json", "model.safetensors"], "no optimiser without a step, nothing partial");
    });
}

#[test]
fn a_bf16_model_in_several_files_is_read_and_goes_on_as_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = Local::open(&parity("untied"), 1).unwrap();
    let logprobs = engine.forward(&data(&[30], 64)).unwrap();
    engine.save(dir.path(), false).unwrap();
    assert_eq!(
        files(dir.path()).into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["config.json", "model.safetensors"]
    );
    assert_eq!(Local::open(dir.path(), 1).unwrap().forward(&data(&[30], 64)).unwrap(), logprobs);
}

#[test]
fn an_index_that_is_wrong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files(&parity("untied")) {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let index = dir.path().join("model.safetensors.index.json");
    let text = fs::read_to_string(&index).unwrap();
    let reason = |text: String| {
        fs::write(&index, text).unwrap();
        match Local::open(dir.path(), 1).err().unwrap() {
            EngineError::Damaged { path, reason } if path == index => reason,
            other => panic!("{other}"),
        }
    };
    assert_eq!(reason(text.replace("\"model.norm.weight\"", "\"x\"")), "tensor `model.norm.weight` is missing");
    assert!(reason(text.replace("\"model-00001", "\"../model-00001")).ends_with("is not a file name"));
    assert!(reason("{}".to_owned()).contains("`weight_map` is missing"));
    fs::write(&index, text.replace("model-00001-of", "model-00009-of")).unwrap();
    let error = Local::open(dir.path(), 1).err().unwrap();
    assert!(matches!(error, EngineError::Io { .. }), "{error}");
}

#[test]
fn saving_without_the_optimiser_removes_that_of_other_weights() {
    let dir = tempfile::tempdir().unwrap();
    each_engine(1, |mut engine| {
        train(&mut *engine, 0);
        engine.save(dir.path(), true).unwrap();
        train(&mut *engine, 1);
        engine.save(dir.path(), false).unwrap();
        engine.load(dir.path()).unwrap();
        assert_eq!((engine.info().weight_version, files(dir.path()).len()), (2, 2));
    });
}

/// Damages one file of a checkpoint and gives the error's file and reason.
fn damage(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = Local::open(&fixture(), 1).unwrap();
    train(&mut engine, 0);
    engine.save(dir.path(), true).unwrap();
    let path = dir.path().join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    let Err(EngineError::Damaged { path, reason }) = engine.load(dir.path()) else { panic!("it is damaged") };
    assert_eq!(path, dir.path().join(file));
    reason
}

fn replace<'a>(from: &'a str, to: &'a str) -> impl Fn(Vec<u8>) -> Vec<u8> + 'a {
    assert_eq!(from.len(), to.len());
    move |bytes| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    }
}

#[test]
fn damage_is_named() {
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    assert!(damage("model.safetensors", half).contains("truncated"));
    assert!(damage("model.safetensors", |_| Vec::new()).contains("truncated"));
    assert!(damage("optimizer.safetensors", half).contains("truncated"));
    assert_eq!(
        damage("model.safetensors", replace("layers.1.mlp.up_proj", "layers.1.mlp.xx_proj")),
        "tensor `model.layers.1.mlp.up_proj.weight` is missing"
    );
    assert_eq!(
        damage("model.safetensors", replace("[48,32]", "[32,48]")),
        "tensor `model.layers.0.mlp.gate_proj.weight` has the shape [32, 48], expected [48, 32]"
    );
    assert_eq!(
        damage("optimizer.safetensors", replace("\"weight_version\":\"1\"", "\"weight_version\":\"7\"")),
        "it belongs to weight version 7, the weights are version 1"
    );
    assert!(damage("config.json", half).starts_with("not JSON"));
    assert_eq!(damage("config.json", replace("\"silu\"", "\"gelu\"")), "`hidden_act` is \"gelu\", expected \"silu\"");
    assert_eq!(
        damage("config.json", replace("\"head_dim\": 16", "\"head_dim\": 15")),
        "`head_dim` is 15, expected an even number"
    );
}

#[test]
fn a_missing_file_or_another_model_is_an_error_and_leaves_the_engine_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    each_engine(1, |mut engine| {
        let error = engine.load(&dir.path().join("nothing")).unwrap_err();
        assert!(matches!(error, EngineError::Io { path, .. } if path.ends_with("nothing/config.json")));
        fresh(odd_config(), dir.path());
        assert!(engine.load(dir.path()).unwrap_err().to_string().contains("another model"));
        assert_eq!(engine.info().vocab, 64);
    });
    let error = open("remote", dir.path(), 1).err().unwrap().to_string();
    assert_eq!(error, format!("engine `remote` is unknown; known are {}", NAMES.join(", ")));
}
