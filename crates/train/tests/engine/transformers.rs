//! What this engine writes, transformers and PEFT read, and compute the same.
//!
//! Where no Python has torch, transformers and peft, these tests are skipped; `BASIS_TEST_TRANSFORMERS` names an interpreter that has them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use basis_train::engines::local::Local;
use basis_train::engines::{AdamW, Datum, Engine, Loss};

use crate::support::{data, fixture, fresh, lora, odd_config, parity};

const STEP: AdamW =
    AdamW { learning_rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };

/// Largest difference of a log-probability.
const TOLERANCE: f32 = 1e-4;

/// An interpreter with the packages.
fn python() -> Option<String> {
    let named = std::env::var("BASIS_TEST_TRANSFORMERS").ok();
    let program = named.clone().unwrap_or_else(|| "python3".to_owned());
    let found = Command::new(&program).args(["-c", "import torch, transformers, peft"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    assert!(named.is_none(), "`{program}` of BASIS_TEST_TRANSFORMERS lacks torch, transformers or peft");
    eprintln!("skipped: `python3` lacks torch, transformers or peft; name one in BASIS_TEST_TRANSFORMERS");
    None
}

/// What transformers gives for the log-probabilities of these sequences.
fn logprobs(python: &str, dir: &Path, batch: &[Datum]) -> Vec<Vec<f32>> {
    let ids: Vec<&[u32]> = batch.iter().map(|datum| &datum.ids[..]).collect();
    let mut child = Command::new(python)
        .arg(parity("read.py"))
        .arg(dir)
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&ids).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn check(python: &str, mut engine: Local, dir: &Path) {
    let batch = data(&[30, 2, 100], engine.info().vocab);
    for _ in 0..5 {
        engine.forward_backward(&batch, Loss::CrossEntropy).unwrap();
        engine.optim_step(&STEP).unwrap();
    }
    engine.save(dir, true).unwrap();
    let (ours, theirs) = (engine.forward(&batch).unwrap(), logprobs(python, dir, &batch));
    let pairs = ours.iter().flatten().zip(theirs.iter().flatten());
    let largest = pairs.map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
    eprintln!("{} log-probabilities, largest difference {largest:e}", theirs.iter().flatten().count());
    assert!(ours.iter().map(Vec::len).eq(theirs.iter().map(Vec::len)) && largest < TOLERANCE, "{largest}");
}

#[test]
fn transformers_reads_a_trained_checkpoint_and_gives_the_same_logprobs() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let fresh_dir = dir.path().join("fresh");
    fresh(odd_config(), &fresh_dir);
    for (number, start) in [fresh_dir, fixture(), parity("untied")].iter().enumerate() {
        check(&python, Local::open(start, 2).unwrap(), &dir.path().join(number.to_string()));
    }
}

#[test]
fn peft_reads_trained_adapters_and_gives_the_same_logprobs() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let engine = Local::open_with(&fixture(), &lora(3, &["q_proj", "k_proj", "o_proj", "gate_proj", "down_proj"]));
    check(&python, engine.unwrap(), dir.path());
}
