//! The token gateway: agents talk to it as to any model server, and what was sampled for them is kept as ids with log-probabilities.
//!
//! A session is named by the path (`/sessions/<name>/v1/…`) or by the key that the agent sends. Its turns are a tree: where an agent goes
//! on with what was said, the ids that were sampled are the beginning of the next prompt; where it leaves something out, a branch begins.
//! Where ids could not be kept (a server that turned the same messages into other ids, an agent that changed what the policy said), the
//! session says so: that is drift. A hash chain over ids and log-probabilities proves that what is trained on is what was sampled.
//!
//! The gateway samples nothing itself and grades nothing: an [`Upstream`] gives turns, whoever runs the agent gives the reward.

mod asking;
pub mod chain;
mod conversation;
mod dialects;
mod enclosure;
mod remote;
mod session;
mod tree;
mod upstream;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub use conversation::{Call, Message, Speaker};
pub use enclosure::{Allowance, Enclosure, Kept};
pub use remote::{Remote, RemoteConfig};
pub use session::{Drift, DriftKind, Session};
pub use upstream::{Ask, Sampled, Sampling, Turn, Upstream, UpstreamError};

use crate::episode::{Episode, TokenTrace};
use crate::serve::{Handler, Request, Response};
use asking::Asking;
use dialects::{Dialect, anthropic, generate};

/// Where episodes of sessions that ended go.
pub type Keep = Box<dyn Fn(Vec<Episode>) -> Result<(), String> + Send + Sync>;

/// The name of the session of agents that name none.
const NAMELESS: &str = "default";
const LONGEST_NAME: usize = 128;

/// See the module.
pub struct Gateway {
    upstream: Arc<dyn Upstream>,
    /// What every request must bring, if anything: `<key>` or `<key>:<session>`.
    key: Option<String>,
    keep: Option<Keep>,
    sessions: Mutex<BTreeMap<String, Arc<Mutex<Session>>>>,
    answers: AtomicU64,
}

impl Gateway {
    /// A gateway in front of an upstream.
    pub fn new(upstream: Box<dyn Upstream>, key: Option<String>, keep: Option<Keep>) -> Self {
        Self { upstream: upstream.into(), key, keep, sessions: Mutex::default(), answers: AtomicU64::new(0) }
    }

    /// The session of this name, which begins when it is first named.
    pub fn session(&self, name: &str) -> Arc<Mutex<Session>> {
        lock(&self.sessions).entry(name.to_owned()).or_default().clone()
    }

    fn route(&self, request: &Request) -> Result<Response, Response> {
        let keyed = self.session_of_key(request)?;
        let (named, path) = match request.path.strip_prefix("/sessions/").and_then(|rest| rest.split_once('/')) {
            Some((name, rest)) => (Some(checked(name)?), format!("/{rest}")),
            None => (None, request.path.clone()),
        };
        let name = named.or(keyed).unwrap_or_else(|| NAMELESS.to_owned());
        match (request.method.as_str(), path.trim_end_matches('/')) {
            ("GET", "/health" | "/healthz" | "") => Ok(Response::json(200, &json!({"status": "ok"}))),
            ("GET", "/v1/models" | "/models") => Ok(Response::json(200, &self.models())),
            ("GET", "/sessions") => Ok(Response::json(200, &self.list())),
            ("POST", "/verify") => self.verify(&request.json()?),
            ("POST", generate::PATH) => self.generate(&name, &request.json()?),
            ("POST", "/v1/messages/count_tokens") => self.count(&name, &request.json()?),
            ("POST", "/reward") => self.reward(&name, &request.json()?),
            ("POST", "/end") => self.end(&name, &request.json()?),
            (method, path) => self.other(method, path, &name, request),
        }
    }

    /// The protocols, and `/sessions/<name>` itself.
    fn other(&self, method: &str, path: &str, name: &str, request: &Request) -> Result<Response, Response> {
        if let Some(name) = path.strip_prefix("/sessions/") {
            return match method {
                "GET" => {
                    Ok(Response::json(200, &lock(self.known(name)?.as_ref()).to_json(name, &self.upstream.model())))
                }
                "DELETE" => {
                    self.known(name)?;
                    lock(&self.sessions).remove(name);
                    Ok(Response::json(200, &json!({"deleted": name})))
                }
                _ => Err(Response::error(405, &format!("`{method}` of a session; expected GET or DELETE"))),
            };
        }
        match dialects::ALL.into_iter().find(|dialect| dialect.is_at(path)) {
            Some(dialect) if method == "POST" => self.converse(dialect, name, &request.json()?),
            Some(_) => Err(Response::error(405, &format!("`{method} {path}`; expected POST"))),
            None => Err(Response::error(404, &format!("there is no `{method} {path}` here; {}", endpoints()))),
        }
    }

    fn converse(&self, dialect: &'static Dialect, name: &str, body: &Value) -> Result<Response, Response> {
        let session = self.session(name);
        let asked = (dialect.parse)(body, &lock(&session)).map_err(|reason| Response::error(400, &reason))?;
        if asked.messages.is_empty() {
            return Err(Response::error(400, "there are no messages; expected at least one of a user"));
        }
        let (upstream, id, is_stream) = (self.upstream.clone(), self.answer_id(name), asked.stream);
        let asking = Asking { upstream, session, id, created: now(), asked };
        match is_stream {
            false => asking.whole(dialect).map(|answer| Response::json(200, &answer)).map_err(failed),
            true => Ok(Response::events(move |out| asking.tell(dialect, out).map(|error| error.map(failed)))),
        }
    }

    fn generate(&self, name: &str, body: &Value) -> Result<Response, Response> {
        let (ids, sampling) = generate::parse(body).map_err(|reason| Response::error(400, &reason))?;
        let sampled = self.upstream.generate(&ids, &sampling).map_err(failed)?;
        lock(&self.session(name)).keep_tokens(&ids, &sampled);
        Ok(Response::json(200, &generate::answer(&self.answer_id(name), &ids, &sampled)))
    }

    fn count(&self, name: &str, body: &Value) -> Result<Response, Response> {
        let asked = (anthropic::DIALECT.parse)(body, &lock(&self.session(name)))
            .map_err(|reason| Response::error(400, &reason))?;
        // Four letters are about a token where nobody knows better.
        let letters = || asked.messages.iter().map(|message| message.text.len()).sum::<usize>() / 4 + 1;
        let count = self.upstream.count(&asked.messages).unwrap_or_else(letters);
        Ok(Response::json(200, &json!({"input_tokens": count})))
    }

    fn reward(&self, name: &str, body: &Value) -> Result<Response, Response> {
        let reward = body["reward"].as_f64().filter(|reward| reward.is_finite());
        let reward = reward.ok_or_else(|| Response::error(400, "`reward` is missing, expected a finite number"))?;
        lock(self.known(name)?.as_ref()).set_reward(reward);
        Ok(Response::json(200, &json!({"session": name, "reward": reward})))
    }

    /// Ends a session: its branches are kept as episodes, and it is forgotten.
    fn end(&self, name: &str, body: &Value) -> Result<Response, Response> {
        if !body["reward"].is_null() {
            self.reward(name, body)?;
        }
        let model = self.upstream.model();
        let (task, skill) = (body["task"].as_str().unwrap_or(name), body["skill"].as_str().unwrap_or("external"));
        let (whole, episodes) = {
            let session = self.known(name)?;
            let session = lock(&session);
            (session.to_json(name, &model), session.episodes(task, skill, &model))
        };
        if let Some(keep) = &self.keep {
            keep(episodes).map_err(|reason| Response::error(500, &reason))?;
        }
        lock(&self.sessions).remove(name);
        Ok(Response::json(200, &whole))
    }

    /// Whether tokens are what some session sampled.
    fn verify(&self, body: &Value) -> Result<Response, Response> {
        let trace = trace(body).map_err(|reason| Response::error(400, &reason))?;
        let head = chain::of(&trace);
        let sessions: Vec<(String, Arc<Mutex<Session>>)> =
            lock(&self.sessions).iter().map(|(name, session)| (name.clone(), session.clone())).collect();
        let found = sessions.iter().find(|(_, session)| lock(session).knows(head)).map(|(name, _)| name);
        Ok(Response::json(200, &json!({"chain": head.to_string(), "sampled_here": found.is_some(), "session": found})))
    }

    fn known(&self, name: &str) -> Result<Arc<Mutex<Session>>, Response> {
        let found = lock(&self.sessions).get(name).cloned();
        found.ok_or_else(|| Response::error(404, &format!("there is no session `{name}`; `GET /sessions` lists them")))
    }

    fn list(&self) -> Value {
        let sessions = lock(&self.sessions).clone();
        sessions.iter().map(|(name, session)| json!({"session": name, "turns": lock(session).turns()})).collect()
    }

    fn models(&self) -> Value {
        let mut model = json!({"id": self.upstream.model(), "object": "model", "created": 0, "owned_by": "basis"});
        if let Some(context) = self.upstream.context() {
            model["max_model_len"] = json!(context);
        }
        json!({"object": "list", "data": [model]})
    }

    /// The session that the key names. Without a key of the gateway the whole of it is the name.
    fn session_of_key(&self, request: &Request) -> Result<Option<String>, Response> {
        let given = request.bearer().or_else(|| request.header("x-api-key")).or_else(|| request.header("x-session-id"));
        let given = given.map(str::trim).filter(|given| !given.is_empty());
        let Some(key) = &self.key else { return given.map(checked).transpose() };
        match given.and_then(|given| given.strip_prefix(key.as_str())) {
            Some("") => Ok(None),
            Some(rest) if rest.starts_with(':') => checked(&rest[1..]).map(Some),
            _ => Err(Response::error(
                401,
                "the key is missing or wrong; send `<key>` or `<key>:<session>` as the API key",
            )),
        }
    }

    fn answer_id(&self, name: &str) -> String {
        format!("{name}-{}", self.answers.fetch_add(1, Ordering::Relaxed))
    }
}

impl Handler for Gateway {
    fn handle(&self, request: &Request) -> Response {
        self.route(request).unwrap_or_else(|refusal| refusal)
    }
}

/// A panic elsewhere leaves what was kept whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: UpstreamError) -> Response {
    Response::error(error.status, &error.message)
}

/// A name that can stand in a path.
fn checked(name: &str) -> Result<String, Response> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    match !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain) {
        true => Ok(name.to_owned()),
        false => Err(Response::error(
            400,
            "the name of a session has 1 to 128 letters, digits and `.`, `_`, `-`; name it in the path or by the API key",
        )),
    }
}

fn trace(body: &Value) -> Result<TokenTrace, String> {
    let list = |name: &str| body[name].as_array().ok_or_else(|| format!("`{name}` is missing, expected a list"));
    let ids: Option<Vec<u32>> = list("token_ids")?.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect();
    let sampled = list("mask")?.iter().map(|it| *it == json!(1) || *it == json!(true)).collect::<Vec<bool>>();
    let logprobs: Option<Vec<f32>> = list("logprobs")?.iter().map(|it| it.as_f64().map(|it| it as f32)).collect();
    let (ids, logprobs) = (ids.ok_or("`token_ids` are no ids")?, logprobs.ok_or("`logprobs` are no numbers")?);
    if ids.len() != sampled.len() || ids.len() != logprobs.len() {
        return Err(format!(
            "{} ids, {} in the mask, {} log-probabilities; expected as many",
            ids.len(),
            sampled.len(),
            logprobs.len()
        ));
    }
    Ok(TokenTrace {
        ids,
        sampled,
        logprobs,
        weight_version: body["weight_version"].as_u64().unwrap_or_default(),
        takeovers: serde_json::from_value(body["takeovers"].clone()).unwrap_or_default(),
    })
}

fn endpoints() -> String {
    let spoken = dialects::ALL.iter().map(|dialect| dialect.path).chain([generate::PATH, "/v1/models", "/sessions"]);
    format!("there are {}", spoken.map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", "))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}
