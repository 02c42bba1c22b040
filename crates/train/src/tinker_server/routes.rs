//! The endpoints: what is asked, and the answer or the promise.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use basis_gym::serve::{Request, Response};
use serde_json::{Value, json};

use super::Server;
use super::promises::{Kept, Known as Promised};
use super::worker::{Job, Sample, Weights, Work};
use crate::engines::AdamW;
use crate::engines::tinker::proto;

/// How long a poll waits; clients wait 45 seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const PROTOBUF: &str = "application/x-protobuf";
const LONGEST_NAME: usize = 255;

/// What the server has been told so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    sessions: u64,
    models: Vec<String>,
    samplers: HashMap<String, Sampler>,
    /// The hash of each numbered request, and its promise: the same once more is the same promise.
    numbered: HashMap<(String, u64), (blake3::Hash, String)>,
}

#[derive(Debug, Clone)]
struct Sampler {
    weights: Weights,
    path: Option<String>,
}

type Answer = Result<Response, Response>;

fn wrong<T>(status: u16, message: impl AsRef<str>) -> Result<T, Response> {
    Err(Response::error(status, message.as_ref()))
}

impl Server {
    pub(super) fn route(&self, request: &Request) -> Answer {
        let Some(path) = request.path.strip_prefix("/api/v1/") else {
            return wrong(404, "everything is below `/api/v1/`");
        };
        let body = || -> Result<Value, Response> {
            serde_json::from_slice(&request.body).or_else(|error| wrong(422, format!("the body is no JSON: {error}")))
        };
        match (request.method.as_str(), path) {
            ("GET", "healthz") => ok(json!({"status": "ok"})),
            ("GET", "get_server_capabilities") => ok(self.capabilities()),
            ("GET", path) if path.starts_with("samplers/") => self.sampler(&path["samplers/".len()..]),
            // Pieces are wanted in the order of their numbers.
            ("POST", "client/config") => ok(json!({"pjwt_auth_enabled": false, "parallel_fwdbwd_chunks": false})),
            ("POST", "create_session") => ok(json!({"session_id": self.new_session()})),
            ("POST", "session_heartbeat") => ok(json!({})),
            ("POST", "telemetry") => ok(json!({"status": "accepted"})),
            ("POST", "create_model") => self.create_model(&body()?),
            ("POST", "get_info") => self.info(&body()?),
            ("POST", "unload_model") => self.unload(&body()?),
            ("POST", "forward_backward") => self.forward_backward(request),
            ("POST", "optim_step") => self.optim_step(&body()?),
            ("POST", "save_weights") => self.save(&body()?),
            ("POST", "load_weights") => self.load(&body()?),
            ("POST", "save_weights_for_sampler") => self.save_for_sampler(&body()?),
            ("POST", "create_sampling_session") => self.create_sampler(&body()?),
            ("POST", "asample") => self.sample(&body()?),
            ("POST", "retrieve_future") => self.retrieve(&body()?),
            ("POST", "weights_info") => self.weights_info(&body()?),
            (method, path) => wrong(404, format!("there is no `{method} {path}` here")),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn capabilities(&self) -> Value {
        let model = json!({"model_name": self.config.model, "max_context_length": self.config.context, "trainable": true, "sampleable": true});
        json!({"supported_models": [model]})
    }

    fn new_session(&self) -> String {
        let mut known = self.known();
        known.sessions += 1;
        format!("session-{}", known.sessions)
    }

    fn create_model(&self, body: &Value) -> Answer {
        self.check_base(body)?;
        let model = self.new_model();
        self.promise(Work::Create { model })
    }

    fn new_model(&self) -> String {
        let mut known = self.known();
        let model = format!("model-{}", known.models.len());
        known.models.push(model.clone());
        model
    }

    fn check_base(&self, body: &Value) -> Result<(), Response> {
        match body["base_model"].as_str() {
            None => Ok(()),
            Some(name) if name == self.config.model => Ok(()),
            Some(name) => wrong(400, format!("there is no model `{name}` here, only `{}`", self.config.model)),
        }
    }

    fn info(&self, body: &Value) -> Answer {
        let model = self.model(body)?;
        ok(
            json!({"type": "get_info", "model_id": model, "is_lora": false, "lora_rank": 0, "model_name": self.config.model,
            "model_data": {"arch": "qwen3", "model_name": self.config.model, "tokenizer_id": self.config.model}}),
        )
    }

    fn unload(&self, body: &Value) -> Answer {
        let model = self.model(body)?;
        self.promise(Work::Unload { model })
    }

    fn forward_backward(&self, request: &Request) -> Answer {
        if !request.header("content-type").unwrap_or_default().starts_with(PROTOBUF) {
            return wrong(415, format!("`forward_backward` takes `{PROTOBUF}`; update the client"));
        }
        let unpacked = match request.header("content-encoding") {
            Some("zstd") => {
                return wrong(415, "packed bodies are not understood; `client/config` does not ask for them");
            }
            _ => &request.body,
        };
        let asked = proto::Request::decode(unpacked)
            .or_else(|reason| wrong(422, format!("the body is no request: {reason}")))?;
        let (model, number) = (asked.model_id.clone(), asked.seq_id);
        self.check_model(&model)?;
        self.numbered(&model, Some(number), &request.body, Work::ForwardBackward { model: model.clone(), asked })
    }

    fn optim_step(&self, body: &Value) -> Answer {
        let model = self.model(body)?;
        let given = &body["adam_params"];
        let number = |name: &str, default: f64| given[name].as_f64().unwrap_or(default) as f32;
        let step = AdamW {
            learning_rate: number("learning_rate", 1e-4),
            beta1: number("beta1", 0.9),
            beta2: number("beta2", 0.95),
            epsilon: number("eps", 1e-12),
            weight_decay: number("weight_decay", 0.0),
            max_grad_norm: number("grad_clip_norm", 0.0),
        };
        self.numbered_json(&model, body, Work::Step { model: model.clone(), step })
    }

    fn save(&self, body: &Value) -> Answer {
        let model = self.model(body)?;
        let name = checked(body["path"].as_str().unwrap_or_default())?;
        let (path, directory) = self.place(&model, "weights", name);
        self.numbered_json(
            &model,
            body,
            Work::Save {
                model: model.clone(),
                directory,
                answer: json!({"path": path, "type": "save_weights"}),
                with_optimizer: true,
            },
        )
    }

    /// A promise of a path for named weights, and of a session for those that only are sampled from.
    fn save_for_sampler(&self, body: &Value) -> Answer {
        let model = self.model(body)?;
        let named = body["path"].as_str().map(checked).transpose()?;
        let name = named.map_or_else(|| format!("ephemeral-{}", self.known().samplers.len()), str::to_owned);
        let (path, directory) = self.place(&model, "sampler_weights", &name);
        let answer = match named {
            Some(_) => json!({"path": path, "type": "save_weights_for_sampler"}),
            None => {
                json!({"sampling_session_id": self.new_sampler(Weights::In(directory.clone()), None), "type": "save_weights_for_sampler"})
            }
        };
        self.numbered_json(&model, body, Work::Save { model: model.clone(), directory, answer, with_optimizer: false })
    }

    fn load(&self, body: &Value) -> Answer {
        self.check_base(body)?;
        let directory = self.directory(body["path"].as_str().unwrap_or_default())?;
        match body["model_id"].as_str() {
            Some(_) => {
                let model = self.model(body)?;
                self.numbered_json(&model, body, Work::Load { model: model.clone(), directory })
            }
            // Newer clients make the model by loading it.
            None => {
                let model = self.new_model();
                self.promise(Work::Load { model, directory })
            }
        }
    }

    fn create_sampler(&self, body: &Value) -> Answer {
        let path = body["model_path"].as_str().map(str::to_owned);
        let weights = match &path {
            Some(path) => Weights::In(self.directory(path)?),
            None => {
                self.check_base(body)?;
                Weights::Base
            }
        };
        ok(json!({"sampling_session_id": self.new_sampler(weights, path), "type": "create_sampling_session"}))
    }

    fn new_sampler(&self, weights: Weights, path: Option<String>) -> String {
        let mut known = self.known();
        let name = format!("sampler-{}", known.samplers.len());
        known.samplers.insert(name.clone(), Sampler { weights, path });
        name
    }

    fn sampler(&self, name: &str) -> Answer {
        match self.known().samplers.get(name) {
            Some(sampler) => {
                ok(json!({"sampler_id": name, "base_model": self.config.model, "model_path": sampler.path}))
            }
            None => wrong(404, format!("there is no sampler `{name}`")),
        }
    }

    fn sample(&self, body: &Value) -> Answer {
        let weights = match (body["sampling_session_id"].as_str(), body["model_path"].as_str()) {
            (Some(name), _) => match self.known().samplers.get(name) {
                Some(sampler) => sampler.weights.clone(),
                None => {
                    return wrong(
                        404,
                        format!("there is no sampling session `{name}`; make one with `create_sampling_session`"),
                    );
                }
            },
            (None, Some(path)) => Weights::In(self.directory(path)?),
            (None, None) => Weights::Base,
        };
        let sample = self.asked_sample(body).or_else(|reason| wrong(422, reason))?;
        let sequences: Vec<String> = (0..sample.count).map(|at| format!("{at}")).collect();
        let promise = self.hand_in(Work::Sample { weights, sample })?;
        let named: Vec<String> = sequences.iter().map(|at| format!("{promise}:{at}")).collect();
        ok(json!({"request_id": promise, "sample_sequence_ids": named}))
    }

    fn asked_sample(&self, body: &Value) -> Result<Sample, String> {
        if ["topk_prompt_logprobs", "topk_sample_logprobs"]
            .iter()
            .any(|name| body[*name].as_u64().is_some_and(|k| k > 0))
        {
            return Err("this engine gives log-probabilities of sampled ids only".to_owned());
        }
        let mut prompt = Vec::new();
        for chunk in body["prompt"]["chunks"].as_array().ok_or("`prompt.chunks` is missing")? {
            let tokens = chunk["tokens"].as_array().ok_or("`prompt.chunks` has something that is no text")?;
            let ids = tokens.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()));
            prompt.extend(ids.collect::<Option<Vec<u32>>>().ok_or("`prompt.chunks` has something that is no id")?);
        }
        if prompt.is_empty() {
            return Err("`prompt.chunks` is empty; there is nothing to continue".to_owned());
        }
        let parameters = &body["sampling_params"];
        if parameters["top_k"].as_i64().is_some_and(|k| k > 0) || parameters["top_p"].as_f64().is_some_and(|p| p < 1.0)
        {
            return Err("this engine samples without `top_k` and `top_p`; leave them out".to_owned());
        }
        let stop = match &parameters["stop"] {
            Value::Null => self.config.stop.clone(),
            Value::Array(ids) => ids
                .iter()
                .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
                .collect::<Option<_>>()
                .ok_or("`sampling_params.stop` has texts; send ids")?,
            _ => return Err("`sampling_params.stop` is a text; send a list of ids".to_owned()),
        };
        let room = self.config.context.saturating_sub(prompt.len());
        Ok(Sample {
            max_tokens: parameters["max_tokens"].as_u64().map_or(room, |most| (most as usize).min(room)),
            count: body["num_samples"].as_u64().unwrap_or(1).clamp(1, 1024),
            temperature: parameters["temperature"].as_f64().unwrap_or(1.0) as f32,
            seed: parameters["seed"].as_u64().unwrap_or_default(),
            prompt_logprobs: body["prompt_logprobs"] == json!(true),
            prompt,
            stop,
        })
    }

    fn retrieve(&self, body: &Value) -> Answer {
        let name = body["request_id"].as_str().unwrap_or_default();
        match self.promises.wait(name, PATIENCE) {
            Promised::Kept(Kept::Json(value)) => ok(value),
            Promised::Kept(Kept::Protobuf(bytes)) => Ok(Response::bytes(200, PROTOBUF, bytes)),
            Promised::Kept(Kept::Failed { error, by_client }) => {
                ok(json!({"error": error, "category": if by_client { "user" } else { "server" }}))
            }
            Promised::Waiting => ok(json!({"type": "try_again", "request_id": name, "queue_state": "active"})),
            Promised::Nothing => wrong(404, format!("there is no promise `{name}`")),
        }
    }

    fn weights_info(&self, body: &Value) -> Answer {
        self.directory(body["tinker_path"].as_str().unwrap_or_default())?;
        ok(json!({"base_model": self.config.model, "is_lora": false, "lora_rank": null}))
    }

    /// The model of a request.
    fn model(&self, body: &Value) -> Result<String, Response> {
        let Some(model) = body["model_id"].as_str() else { return wrong(422, "`model_id` is missing") };
        self.check_model(model)?;
        Ok(model.to_owned())
    }

    fn check_model(&self, model: &str) -> Result<(), Response> {
        match self.known().models.iter().any(|known| known == model) {
            true => Ok(()),
            false => wrong(404, format!("there is no model `{model}`; make one with `create_model`")),
        }
    }

    fn numbered_json(&self, model: &str, body: &Value, work: Work) -> Answer {
        self.numbered(model, body["seq_id"].as_u64(), body.to_string().as_bytes(), work)
    }

    /// A promise for a request with a number: once for the same request, never for two.
    fn numbered(&self, model: &str, number: Option<u64>, body: &[u8], work: Work) -> Answer {
        let Some(number) = number else { return self.promise(work) };
        let (key, hash) = ((model.to_owned(), number), blake3::hash(body));
        if let Some((known, promise)) = self.known().numbered.get(&key) {
            return match *known == hash {
                true => ok(json!({"request_id": promise, "model_id": model})),
                false => wrong(409, format!("`seq_id` {number} of `{model}` was another request")),
            };
        }
        let promise = self.hand_in(work)?;
        self.known().numbered.insert(key, (hash, promise.clone()));
        ok(json!({"request_id": promise, "model_id": model}))
    }

    fn promise(&self, work: Work) -> Answer {
        Ok(Response::json(200, &json!({"request_id": self.hand_in(work)?})))
    }

    fn hand_in(&self, work: Work) -> Result<String, Response> {
        let promise = self.promises.make();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(Job { promise: promise.clone(), work }).is_ok());
        if sent { Ok(promise) } else { wrong(503, "the server is being stopped") }
    }

    /// The address of weights, and where they are.
    fn place(&self, model: &str, kind: &str, name: &str) -> (String, PathBuf) {
        (format!("tinker://{model}/{kind}/{name}"), self.config.directory.join(model).join(kind).join(name))
    }

    /// Where the weights of an address are.
    fn directory(&self, path: &str) -> Result<PathBuf, Response> {
        let parts: Vec<&str> = path.strip_prefix("tinker://").unwrap_or_default().split('/').collect();
        let [model, kind @ ("weights" | "sampler_weights"), name] = parts[..] else {
            return wrong(400, format!("`{path}` is not `tinker://<model>/<weights or sampler_weights>/<name>`"));
        };
        let directory = self.place(checked(model)?, kind, checked(name)?).1;
        match Path::is_dir(&directory) {
            true => Ok(directory),
            false => wrong(404, format!("there are no weights `{path}`")),
        }
    }
}

fn ok(value: Value) -> Answer {
    Ok(Response::json(200, &value))
}

/// A name that can be one of a directory.
fn checked(name: &str) -> Result<&str, Response> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    match !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain) {
        true => Ok(name),
        false => wrong(422, "a name of weights has 1 to 255 letters, digits and `_`, `-`"),
    }
}

/// Metrics by name.
pub(super) fn metrics(all: &[(&str, f64)]) -> BTreeMap<String, f64> {
    all.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}
