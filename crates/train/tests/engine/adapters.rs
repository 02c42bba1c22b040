//! Adapters: a small part that is trained beside frozen weights, kept as PEFT keeps it.

use std::fs;
use std::path::Path;

use basis_train::engines::local::Local;
use basis_train::engines::{AdamW, Engine, EngineError, Loss, Options, open};

use crate::support::{data, each_engine_with, fixture, lora, tensors};

const STEP: AdamW =
    AdamW { learning_rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };

const ALL: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

fn adapted() -> Local {
    Local::open_with(&fixture(), &lora(2, &ALL)).unwrap()
}

fn train(engine: &mut dyn Engine, seed: usize) -> f64 {
    let seen = engine.forward_backward(&data(&[20 + seed, 50], 64), Loss::CrossEntropy).unwrap();
    engine.optim_step(&STEP).unwrap();
    seen.loss / seen.weight
}

#[test]
fn fresh_adapters_change_nothing_and_few_values_are_trained() {
    let batch = data(&[40, 9], 64);
    each_engine_with(&fixture(), &lora(2, &ALL), |mut engine| {
        let mut plain = open(engine.info().engine, &fixture(), 2).unwrap();
        assert_eq!(engine.forward(&batch).unwrap(), plain.forward(&batch).unwrap());
        assert!(engine.info().parameters < plain.info().parameters / 3);
    });
}

#[test]
fn adapters_learn_and_the_weights_beside_them_stay() {
    let before = tensors(&fixture());
    each_engine_with(&fixture(), &lora(2, &ALL), |mut engine| {
        let first = train(&mut *engine, 0);
        let last = (0..60).map(|_| train(&mut *engine, 0)).last().unwrap();
        assert!(last < first - 1.0, "from {first} to {last}");
        assert_eq!(tensors(&fixture()), before);
    });
}

#[test]
fn saved_adapters_go_on_bit_for_bit_and_find_their_weights() {
    each_engine_with(&fixture(), &lora(2, &ALL), goes_on_bit_for_bit);
}

fn goes_on_bit_for_bit(mut engine: Box<dyn Engine>) {
    let dir = tempfile::tempdir().unwrap();
    let (middle, first, second) = (dir.path().join("middle"), dir.path().join("first"), dir.path().join("second"));
    train(&mut *engine, 0);
    engine.save(&middle, true).unwrap();
    train(&mut *engine, 1);
    engine.save(&first, true).unwrap();
    engine.load(&middle).unwrap();
    train(&mut *engine, 1);
    assert_eq!(engine.info().weight_version, 2);
    let mut opened = open(engine.info().engine, &middle, 2).unwrap();
    train(&mut *opened, 1);
    opened.save(&second, true).unwrap();
    let names = ["adapter_config.json", "adapter_model.safetensors", "config.json", "optimizer.safetensors"];
    for name in names {
        assert!(fs::read(first.join(name)).unwrap() == fs::read(second.join(name)).unwrap(), "{name}");
    }
    assert_eq!(fs::read_dir(&first).unwrap().count(), names.len());
}

#[test]
fn names_and_shapes_are_those_of_peft() {
    let dir = tempfile::tempdir().unwrap();
    Local::open_with(&fixture(), &lora(2, &["q_proj", "down_proj"])).unwrap().save(dir.path(), false).unwrap();
    let sizes: Vec<(String, usize)> =
        tensors(dir.path()).into_iter().map(|(name, values)| (name, values.len())).collect();
    let name = |layer: usize, rest: &str| format!("base_model.model.model.layers.{layer}.{rest}.weight");
    let layer = |number| {
        [
            (name(number, "mlp.down_proj.lora_A"), 2 * 48),
            (name(number, "mlp.down_proj.lora_B"), 32 * 2),
            (name(number, "self_attn.q_proj.lora_A"), 2 * 32),
            (name(number, "self_attn.q_proj.lora_B"), 64 * 2),
        ]
    };
    assert_eq!(sizes, [layer(0), layer(1)].concat());
}

fn error(dir: &Path, options: &Options) -> String {
    Local::open_with(dir, options).err().unwrap().to_string()
}

#[test]
fn adapters_that_cannot_be_are_errors() {
    assert!(error(&fixture(), &lora(0, &ALL)).contains("the rank of the adapters is 0"));
    assert!(error(&fixture(), &lora(1, &[])).starts_with("no module has an adapter"));
    assert!(error(&fixture(), &lora(1, &["lm_head"])).starts_with("`lm_head` cannot have an adapter"));
    let dir = tempfile::tempdir().unwrap();
    adapted().save(dir.path(), false).unwrap();
    assert!(error(dir.path(), &lora(3, &ALL)).contains("asked for were"));
    assert!(Local::open_with(dir.path(), &lora(2, &ALL)).is_ok());
    let config = dir.path().join("adapter_config.json");
    let text = fs::read_to_string(&config).unwrap();
    let cases = [
        ("\"use_dora\": false", "\"use_dora\": true", "`use_dora` is true, expected false"),
        ("\"lora_dropout\": 0.0", "\"lora_dropout\": 0.1", "`lora_dropout` is 0.1, expected 0.0"),
        (
            "\"r\": 2",
            "\"r\": 2, \"modules_to_save\": [\"lm_head\"]",
            "`modules_to_save` is [\"lm_head\"], expected null",
        ),
        ("\"r\": 2", "\"r\": 2, \"rank_pattern\": {\"q_proj\": 1}", "`rank_pattern` is {\"q_proj\":1}, expected {}"),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{text}");
        fs::write(&config, text.replace(from, to)).unwrap();
        let found = error(dir.path(), &Options::default());
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn adapters_are_not_loaded_into_an_engine_of_weights_nor_the_other_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = adapted();
    engine.save(dir.path(), false).unwrap();
    let another = |result: Result<(), EngineError>| assert!(result.unwrap_err().to_string().contains("another model"));
    another(Local::open(&fixture(), 1).unwrap().load(dir.path()));
    another(engine.load(&fixture()));
    another(Local::open_with(&fixture(), &lora(2, &["q_proj"])).unwrap().load(dir.path()));
}
