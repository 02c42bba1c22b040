//! Our own server on a free port, and what only it promises.

use std::sync::atomic::{AtomicBool, Ordering};

use basis_gym::serve::{Listener, serve};
use basis_train::engines::tinker::{Reduction, Tinker, TinkerConfig};
use basis_train::engines::{Datum, Engine, open};
use basis_train::tinker_server::{ServerConfig, with_server};
use serde_json::{Value, json};

use crate::support::{data, fixture};

/// Runs `body` with the address of a server over the committed model.
pub(crate) fn with_address<T>(body: impl FnOnce(&str) -> T) -> T {
    let mut engine = open("local", &fixture(), 1).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = ServerConfig {
        model: "fixture".into(),
        context: engine.info().context,
        stop: vec![0],
        directory: directory.path().to_path_buf(),
    };
    let listener = Listener::tcp("127.0.0.1:0").unwrap();
    let (address, stop) = (listener.address(), AtomicBool::new(false));
    with_server(engine.as_mut(), config, |server| {
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&listener, server, &stop).unwrap());
            let _guard = Stop(&stop);
            body(&address)
        })
    })
    .unwrap()
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn config(url: &str) -> TinkerConfig {
    TinkerConfig {
        url: url.to_owned(),
        key: Some("tml-test".to_owned()),
        proxy: None,
        base_model: None,
        rank: 8,
        vocab: 64,
        context: 64,
        concurrency: 8,
    }
}

fn post(url: &str, path: &str, body: &Value) -> (u16, Value) {
    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build());
    let mut response = agent.post(format!("{url}/api/v1/{path}")).send_json(body).unwrap();
    (response.status().as_u16(), response.body_mut().read_json().unwrap())
}

#[test]
fn a_model_behind_the_protocol_computes_what_it_computes_without() {
    let mut direct = open("local", &fixture(), 1).unwrap();
    let batch = data(&[9, 14, 5], 64);
    let expected = direct.forward(&batch).unwrap();
    let loss = basis_train::engines::Loss::ClippedRatio { low: 0.8, high: 1.28 };
    let seen = direct.forward_backward(&batch, loss).unwrap();
    with_address(|url| {
        let mut engine = Tinker::open(&config(url), Box::new(|_| ())).unwrap();
        assert_eq!(engine.reduction(), Reduction::Sum);
        let close = |one: &[Vec<f32>], other: &[Vec<f32>]| {
            one.iter().flatten().zip(other.iter().flatten()).all(|(one, other)| (one - other).abs() < 1e-5)
        };
        assert!(close(&engine.forward(&batch).unwrap(), &expected));
        let remote = engine.forward_backward(&batch, loss).unwrap();
        assert!((remote.loss - seen.loss).abs() < 1e-4, "{remote:?} and {seen:?}");
        assert_eq!((remote.targets, remote.clipped), (seen.targets, seen.clipped));
        assert!((remote.kl - seen.kl).abs() < 1e-3);
        let step = crate::conformance::STEP;
        let (own, theirs) = (direct.optim_step(&step).unwrap(), engine.optim_step(&step).unwrap());
        assert!((own.grad_norm - theirs.grad_norm).abs() < 1e-4 * own.grad_norm, "{own:?} and {theirs:?}");
        assert!(close(&engine.forward(&batch).unwrap(), &direct.forward(&batch).unwrap()));
    });
}

#[test]
fn a_number_is_one_request_however_often_it_comes() {
    with_address(|url| {
        let (_, session) = post(url, "create_session", &json!({}));
        let body = json!({"session_id": session["session_id"], "base_model": "fixture"});
        let (_, made) = post(url, "create_model", &body);
        let (_, model) = post(url, "retrieve_future", &made);
        let step = json!({"model_id": model["model_id"], "seq_id": 1, "adam_params": {"learning_rate": 0.0}});
        let (first, again) = (post(url, "optim_step", &step), post(url, "optim_step", &step));
        assert_eq!(first, again);
        let mut other = step.clone();
        other["adam_params"]["learning_rate"] = json!(1.0);
        let (status, answer) = post(url, "optim_step", &other);
        assert_eq!((status, &answer["detail"]), (409, &json!("`seq_id` 1 of `model-0` was another request")));
    });
}

#[test]
fn what_the_server_does_not_understand_is_refused_in_words() {
    with_address(|url| {
        let detail = |path: &str, body: Value| {
            let (status, answer) = post(url, path, &body);
            format!("{status} {}", answer["detail"].as_str().unwrap_or_default())
        };
        assert_eq!(
            detail("create_model", json!({"base_model": "other"})),
            "400 there is no model `other` here, only `fixture`"
        );
        assert_eq!(detail("optim_step", json!({})), "422 `model_id` is missing");
        assert_eq!(
            detail("forward_backward", json!({})),
            "415 `forward_backward` takes `application/x-protobuf`; update the client"
        );
        assert_eq!(detail("asample", json!({"base_model": "fixture"})), "422 `prompt.chunks` is missing");
        assert_eq!(
            detail("load_weights", json!({"path": "tinker://../weights/x"})),
            "422 a name of weights has 1 to 255 letters, digits and `_`, `-`"
        );
        assert_eq!(detail("retrieve_future", json!({"request_id": "x"})), "404 there is no promise `x`");
    });
}

#[test]
fn a_client_that_ends_gives_its_model_back() {
    with_address(|url| {
        let mut engine = Tinker::open(&config(url), Box::new(|_| ())).unwrap();
        // `model-0` was that of the probe.
        let step = |number: u64| {
            let step = json!({"model_id": "model-1", "seq_id": number, "adam_params": {"learning_rate": 0.0}});
            let (_, promise) = post(url, "optim_step", &step);
            post(url, "retrieve_future", &promise).1
        };
        engine.forward_backward(&data(&[9], 64), basis_train::engines::Loss::CrossEntropy).unwrap();
        assert_eq!(step(100)["type"], "optim_step");
        drop(engine);
        assert_eq!(step(101)["error"], "`model-1` was unloaded; create it again");
    });
}

#[test]
fn old_samplers_keep_their_weights_while_training_goes_on() {
    with_address(|url| {
        let mut engine = Tinker::open(&config(url), Box::new(|_| ())).unwrap();
        let ask = json!({"base_model": "fixture", "num_samples": 1, "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3]}]},
            "sampling_params": {"max_tokens": 4, "temperature": 0.0, "stop": []}});
        let sampled = || {
            let (_, promise) = post(url, "asample", &ask);
            let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
            let mut answer = agent.post(format!("{url}/api/v1/retrieve_future")).send_json(&promise).unwrap();
            answer.body_mut().read_to_vec().unwrap()
        };
        let before = sampled();
        let batch = data(&[9, 14], 64);
        crate::conformance::learn(&mut engine, &batch, 3);
        let trained = engine.forward(&batch).unwrap();
        assert_eq!(sampled(), before, "the base model is what it was");
        let again: Vec<Datum> = batch.clone();
        assert_eq!(engine.forward(&again).unwrap(), trained, "the weights in training are back");
    });
}
