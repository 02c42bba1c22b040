//! What a client may expect of every server.

use basis_gym::skills::{self, Skill};
use basis_train::engines::tinker::Tinker;
use basis_train::engines::{AdamW, Datum, Engine, EngineError, Loss};

use crate::server::{config, with_address};
use crate::support::{numbers, request, sample_all};

pub(crate) const STEP: AdamW =
    AdamW { learning_rate: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0, max_grad_norm: 0.0 };

/// Runs a check against our own server, and against the one that the environment names.
fn each_server(check: impl Fn(&str)) {
    with_address(&check);
    match std::env::var("BASIS_TEST_TINKER") {
        Ok(url) => check(&url),
        Err(_) => eprintln!("skipped: another server; name one with BASIS_TEST_TINKER=http://…"),
    }
}

fn open(url: &str) -> Tinker {
    Tinker::open(&config(url), Box::new(|_| ())).unwrap()
}

/// Sequences of ids below 60 whose targets all count the same.
fn sequences(seed: u64, count: usize) -> Vec<Datum> {
    let mut number = numbers(seed, 60);
    let mut datum = || Datum {
        ids: (0..13).map(|_| number()).collect(),
        weights: vec![1.0 / 12.0; 12],
        old_logprobs: vec![0.0; 12],
        advantages: vec![0.0; 12],
    };
    (0..count).map(|_| datum()).collect()
}

/// Takes steps on the cross-entropy and returns the loss before each.
pub(crate) fn learn(engine: &mut dyn Engine, batch: &[Datum], steps: usize) -> Vec<f64> {
    let mut loss = |_| {
        let seen = engine.forward_backward(batch, Loss::CrossEntropy).unwrap();
        engine.optim_step(&STEP).unwrap();
        seen.loss / seen.weight
    };
    (0..steps).map(&mut loss).collect()
}

#[test]
fn cross_entropy_falls_by_a_third_in_twenty_steps() {
    each_server(|url| {
        let losses = learn(&mut open(url), &sequences(1, 4), 20);
        assert!(losses[19] < 0.7 * losses[0], "{losses:?}");
        eprintln!("cross-entropy {:.3} -> {:.3}", losses[0], losses[19]);
    });
}

#[test]
fn sampled_and_trained_log_probabilities_are_the_same() {
    each_server(|url| {
        let mut engine = open(url);
        learn(&mut engine, &sequences(2, 4), 2);
        let prompts: Vec<Vec<u32>> = sequences(3, 4).into_iter().map(|datum| datum.ids).collect();
        let requests = prompts.iter().enumerate().map(|(id, prompt)| request(id as u64, prompt.clone(), 8)).collect();
        let sampled = sample_all(&mut engine, requests);
        let mut differ = 0.0f32;
        for (id, prompt) in prompts.iter().enumerate() {
            let own = &sampled[&(id as u64)];
            let ids = [&prompt[..], &own.tokens].concat();
            let weights = vec![1.0; ids.len() - 1];
            let trained = engine.forward(&[Datum { ids, weights, ..Datum::default() }]).unwrap().remove(0);
            differ = differ.max(furthest(&own.logprobs, &trained[prompt.len() - 1..]));
        }
        assert!(differ < 1e-4, "they differ by {differ}");
        eprintln!("sampled against trained {differ:.1e}");
    });
}

#[test]
fn log_probabilities_move_with_the_sign_of_the_advantage() {
    each_server(|url| {
        let mut engine = open(url);
        let mut batch = sequences(4, 4);
        let before = engine.forward(&batch).unwrap();
        for (at, (datum, logprobs)) in batch.iter_mut().zip(&before).enumerate() {
            datum.old_logprobs.clone_from(logprobs);
            datum.advantages = vec![if at % 2 == 0 { 1.0 } else { -1.0 }; 12];
        }
        // So small that what one sequence learns does not carry the others along.
        let small = AdamW { learning_rate: 3e-4, ..STEP };
        for _ in 0..5 {
            engine.forward_backward(&batch, Loss::ClippedRatio { low: 0.0, high: f32::INFINITY }).unwrap();
            engine.optim_step(&small).unwrap();
        }
        let after = engine.forward(&batch).unwrap();
        let change = |(before, after): (&Vec<f32>, &Vec<f32>)| after.iter().sum::<f32>() - before.iter().sum::<f32>();
        let changes: Vec<f32> = before.iter().zip(&after).map(change).collect();
        let has_sign = |(at, change): (usize, &f32)| if at % 2 == 0 { *change > 0.0 } else { *change < 0.0 };
        assert!(changes.iter().enumerate().all(has_sign), "{changes:?}");
        eprintln!("advantages +1 -1 +1 -1 changed log-probabilities by {changes:.2?}");
    });
}

/// A group of episodes for each skill, of different sizes and lengths, with the log-probabilities of the present weights and centred advantages.
fn groups_of_skills(engine: &mut Tinker) -> Vec<(&'static str, Vec<Datum>)> {
    let atomic = skills::ALL.iter().filter(|skill| !skill.is_composite());
    let group = |(at, skill): (usize, &&'static dyn Skill)| {
        let (count, length) = (2 + at % 3, 8 + at);
        let mut group = sequences(10 + at as u64, count);
        for (number, datum) in group.iter_mut().enumerate() {
            datum.ids.truncate(length + 1);
            datum.weights = vec![1.0 / length as f32; length];
            datum.advantages = vec![number as f32 - (count - 1) as f32 / 2.0; length];
            datum.old_logprobs = vec![0.0; length];
        }
        let logprobs = engine.forward(&group).unwrap();
        group.iter_mut().zip(logprobs).for_each(|(datum, own)| datum.old_logprobs = own);
        (skill.name(), group)
    };
    atomic.enumerate().map(group).collect()
}

#[test]
fn groups_of_all_skills_in_one_step_are_the_sum_of_groups_apart() {
    const LOSS: Loss = Loss::ClippedRatio { low: 0.8, high: 1.28 };
    each_server(|url| {
        let mut together = open(url);
        let groups = groups_of_skills(&mut together);
        assert_eq!(groups.len(), 5);
        let all: Vec<Datum> = groups.iter().flat_map(|(_, group)| group.clone()).collect();
        let before = together.forward(&all).unwrap();
        together.forward_backward(&all, LOSS).unwrap();
        let joint = together.optim_step(&STEP).unwrap();
        let expected = together.forward(&all).unwrap();
        // A server may have room for one model only.
        drop(together);
        let mut apart = open(url);
        for (_, group) in &groups {
            apart.forward_backward(group, LOSS).unwrap();
        }
        let summed = apart.optim_step(&STEP).unwrap();
        let found = apart.forward(&all).unwrap();
        assert!((joint.grad_norm - summed.grad_norm).abs() < 1e-4 * joint.grad_norm, "{joint:?} and {summed:?}");
        let moved = furthest(&before.concat(), &expected.concat());
        // A first step of Adam has the size of the learning rate wherever there is a gradient, so gradients that are rounding may differ.
        let differ = furthest(&found.concat(), &expected.concat());
        assert!(differ < 1e-3 && moved > 10.0 * differ, "they moved by {moved} and differ by {differ}");
        eprintln!("five groups: moved by {moved:.1e}, one step against the sum {differ:.1e}");
    });
}

/// The largest difference between log-probabilities.
fn furthest(some: &[f32], others: &[f32]) -> f32 {
    some.iter().zip(others).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn a_model_is_given_back_when_its_session_ends() {
    each_server(|url| {
        // One more than the places of the smallest server; each of them takes a step of its own to be probed.
        (0..2).for_each(|_| drop(open(url)));
    });
}

#[test]
fn training_goes_on_from_a_checkpoint_in_another_session() {
    each_server(|url| {
        let batch = sequences(5, 4);
        let dir = tempfile::tempdir().unwrap();
        let mut first = open(url);
        learn(&mut first, &batch, 5);
        first.save(dir.path(), true).unwrap();
        let expected = (first.forward(&batch).unwrap(), learn(&mut first, &batch, 3));
        drop(first);
        let mut second = open(url);
        second.load(dir.path()).unwrap();
        assert_eq!(second.info().weight_version, 5);
        let found = (second.forward(&batch).unwrap(), learn(&mut second, &batch, 3));
        for (one, other) in found.0.iter().flatten().zip(expected.0.iter().flatten()) {
            assert!((one - other).abs() < 1e-4, "{one} and {other}");
        }
        assert!((found.1[2] - expected.1[2]).abs() < 1e-3, "{:?} and {:?}", found.1, expected.1);
    });
}

#[test]
fn a_server_that_is_not_there_or_none_is_named() {
    let error = |url: &str| match Tinker::open(&config(url), Box::new(|_| ())) {
        Err(EngineError::Remote { message }) => message,
        _ => panic!("`{url}` is refused"),
    };
    assert!(error("localhost:1").contains("is not a URL; give one such as"));
    let gone = error("http://127.0.0.1:9");
    assert!(gone.contains("cannot reach `http://127.0.0.1:9/api/v1/get_server_capabilities`"), "{gone}");
    with_address(|url| {
        let wanted = basis_train::engines::tinker::TinkerConfig { base_model: Some("other".into()), ..config(url) };
        let Err(error) = Tinker::open(&wanted, Box::new(|_| ())) else { panic!("it has no such model") };
        assert_eq!(error.to_string(), "the server has no model `other`; it offers `fixture`");
    });
}
