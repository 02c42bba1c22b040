//! Requests to a Tinker server: submission with retries under one idempotency key, and polling for what they promised.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use basis_gym::client::{self, Target};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::TinkerConfig;
use crate::engines::EngineError;

/// Longer answers are not read.
const LONGEST: u64 = 1 << 30;
/// A server that is away for so long is given up.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// One poll; most servers answer after half a minute at the latest.
const POLL: Duration = Duration::from_secs(45);
/// A promise that has not come for so long is told about.
const WORTH_TELLING: Duration = Duration::from_secs(30);
const PROTOBUF: &str = "application/x-protobuf";

/// Told whom the engine waits for.
pub type Notice = Box<dyn Fn(&str) + Send + Sync>;

/// See the module.
pub(super) struct Transport {
    agent: Agent,
    base: String,
    key: Option<String>,
    keys: AtomicU64,
    notice: Notice,
}

/// What is sent.
pub(super) enum Sent<'a> {
    Json(&'a Value),
    Protobuf(&'a [u8]),
}

/// What a promise became.
pub(super) enum Kept {
    Json(Value),
    Protobuf(Vec<u8>),
}

impl Transport {
    pub(super) fn new(config: &TinkerConfig, notice: Notice) -> Result<Self, EngineError> {
        let (agent, address) = client::agent(Target {
            address: &config.url,
            example: "http://localhost:8000",
            proxy: config.proxy.as_deref(),
            key: config.key.as_deref(),
            connect: Duration::from_secs(5),
            request: POLL + Duration::from_secs(15),
        })
        .map_err(|error| remote(error.to_string()))?;
        let base = address.trim_end_matches("/api/v1").to_owned();
        Ok(Self { agent, base, key: config.key.clone(), keys: AtomicU64::new(0), notice })
    }

    /// What a `GET` gives.
    pub(super) fn get(&self, path: &str) -> Result<Value, EngineError> {
        let url = self.url(path);
        let mut get = self.agent.get(&url);
        if let Some(key) = &self.key {
            get = get.header("x-api-key", key);
        }
        let outcome = get.call();
        let (status, body, _) = read(outcome).map_err(|error| self.unreachable(&url, &error))?;
        match status {
            200 => parse(&url, &body),
            _ => Err(refused(&url, status, &body)),
        }
    }

    /// Posts until the server has taken it, which it does once however often it is sent.
    pub(super) fn post(&self, path: &str, sent: &Sent<'_>) -> Result<Value, EngineError> {
        let url = self.url(path);
        let key = self.idempotency_key();
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = match self.attempt(&url, sent, &[("x-idempotency-key", &key)]) {
                Ok((200, body, _)) => return parse(&url, &body),
                // 409 means that a number was used twice, which no repetition mends.
                Ok((status @ (408 | 429 | 500..), body, after)) => {
                    if start.elapsed() > PATIENCE {
                        return Err(refused(&url, status, &body));
                    }
                    after
                }
                Ok((status, body, _)) if is_stranger(status, &body) => return Err(self.lost(path)),
                Ok((status, body, _)) => return Err(refused(&url, status, &body)),
                Err(error) if start.elapsed() > PATIENCE || !is_passing(&error) => {
                    return Err(self.unreachable(&url, &error));
                }
                Err(_) => None,
            };
            (self.notice)(&format!("waiting for `{url}`"));
            sleep(asked.unwrap_or(pause).min(LONGEST_PAUSE * 6));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Posts once and does not mind whether that had an effect: for what only spares the server something.
    pub(super) fn tell(&self, path: &str, sent: &Sent<'_>) {
        let _ = self.attempt(&self.url(path), sent, &[("x-idempotency-key", &self.idempotency_key())]);
    }

    /// Posts what makes a promise, and waits until it is kept.
    pub(super) fn call(&self, path: &str, sent: &Sent<'_>) -> Result<Kept, EngineError> {
        let promise = self.promise(path, sent)?;
        self.wait(&promise, path)
    }

    /// Posts what makes a promise, and returns its name.
    pub(super) fn promise(&self, path: &str, sent: &Sent<'_>) -> Result<String, EngineError> {
        let answer = self.post(path, sent)?;
        let name = answer["request_id"].as_str().map(str::to_owned);
        name.ok_or_else(|| {
            remote(format!("`{}` answered without `request_id`; is it a Tinker server?", self.url(path)))
        })
    }

    /// Polls until a promise is kept or broken. `what` names it for people.
    pub(super) fn wait(&self, promise: &str, what: &str) -> Result<Kept, EngineError> {
        let url = self.url("retrieve_future");
        let body = json!({"request_id": promise, "allow_metadata_only": false});
        let start = Instant::now();
        let mut told = WORTH_TELLING;
        let mut away: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attempt(&url, &Sent::Json(&body), &[("accept", PROTOBUF)]) {
                Ok((200, body, kind)) if kind.is_some() => return Ok(Kept::Protobuf(body)),
                Ok((200, body, _)) => {
                    let answer = parse(&url, &body)?;
                    if let Some(error) = answer["error"].as_str() {
                        let side = answer["category"].as_str().unwrap_or("unknown");
                        return Err(remote(format!("`{what}` failed on the server ({side}): {error}")));
                    }
                    if answer["type"] != "try_again" {
                        return Ok(Kept::Json(answer));
                    }
                    if start.elapsed() > told {
                        let state = answer["queue_state"].as_str().unwrap_or("active");
                        (self.notice)(&format!("waiting for `{what}` since {} s ({state})", start.elapsed().as_secs()));
                        told *= 2;
                    }
                    (away, pause) = (None, FIRST_PAUSE);
                }
                // Not yet.
                Ok((408, ..)) => (away, pause) = (None, FIRST_PAUSE),
                Ok((status @ (429 | 500..), body, _)) => {
                    if away.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(refused(&url, status, &body));
                    }
                    sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                // A promise that the server does not know any more is lost with what it was about.
                Ok((404 | 410, ..)) => return Err(self.lost(what)),
                Ok((status, body, _)) if is_stranger(status, &body) => return Err(self.lost(what)),
                Ok((status, body, _)) => return Err(refused(&url, status, &body)),
                // SkyRL holds a poll for as long as 300 s, so silence alone says nothing about the server.
                Err(ureq::Error::Timeout(_)) if self.get("healthz").is_ok() => {
                    (self.notice)(&format!("waiting for `{what}` since {} s", start.elapsed().as_secs()));
                    (away, pause) = (None, FIRST_PAUSE);
                }
                Err(error) => {
                    if away.get_or_insert_with(Instant::now).elapsed() > PATIENCE || !is_passing(&error) {
                        return Err(self.unreachable(&url, &error));
                    }
                    (self.notice)(&format!("waiting for `{}`: {error}", self.base));
                    sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One request. The third value of a `200` says that the body is protobuf; of others what pause the server asks for.
    fn attempt(
        &self,
        url: &str,
        sent: &Sent<'_>,
        headers: &[(&str, &str)],
    ) -> Result<(u16, Vec<u8>, Option<Duration>), ureq::Error> {
        let mut post = self.agent.post(url);
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        if let Some(key) = &self.key {
            post = post.header("x-api-key", key);
        }
        read(match sent {
            Sent::Json(value) => post.send_json(value),
            Sent::Protobuf(bytes) => post.header("content-type", PROTOBUF).send(*bytes),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    /// Unique among all processes that talk to one server.
    fn idempotency_key(&self) -> String {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        format!("{:x}-{now:x}-{number:x}", std::process::id())
    }

    fn lost(&self, what: &str) -> EngineError {
        remote(format!(
            "`{}` has lost `{what}`; it was restarted, and the same command goes on from the newest checkpoint",
            self.base
        ))
    }

    fn unreachable(&self, url: &str, error: &ureq::Error) -> EngineError {
        remote(format!(
            "cannot reach `{url}`: {error}; check the address and that the server is up, then run the same command"
        ))
    }
}

/// Status, body, and what the headers say.
fn read(outcome: Result<Response<Body>, ureq::Error>) -> Result<(u16, Vec<u8>, Option<Duration>), ureq::Error> {
    let mut response = outcome?;
    let status = response.status().as_u16();
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let is_protobuf = header("content-type").starts_with(PROTOBUF);
    let after =
        header("retry-after").trim().parse::<f64>().ok().and_then(|after| Duration::try_from_secs_f64(after).ok());
    let body = response.body_mut().with_config().limit(LONGEST).read_to_vec()?;
    Ok((status, body, if status == 200 { is_protobuf.then_some(Duration::ZERO) } else { after }))
}

/// Whether a server says that it does not have the model: it is another process than the one that made it. Ours says so at once, SkyRL's
/// keeps requests in a file and says so of those that an earlier process left behind.
fn is_stranger(status: u16, body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    match status {
        400 => body.contains("not loaded"),
        404 => body.contains("there is no model") || body.contains("Model not found"),
        _ => false,
    }
}

/// Whether a failure may pass by itself.
fn is_passing(error: &ureq::Error) -> bool {
    !matches!(error, ureq::Error::BadUri(_) | ureq::Error::BodyExceedsLimit(_))
}

fn parse(url: &str, body: &[u8]) -> Result<Value, EngineError> {
    serde_json::from_slice(body).map_err(|_| remote(format!("`{url}` sent no JSON; is it a Tinker server?")))
}

/// `{"detail": …}`, as a text or as a list of what is wrong with which field.
fn refused(url: &str, status: u16, body: &[u8]) -> EngineError {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let fields = json["detail"].as_array().map(|all| {
        let one = |it: &Value| {
            let place: Vec<String> =
                it["loc"].as_array().into_iter().flatten().map(|part| part.to_string().replace('"', "")).collect();
            format!("`{}`: {}", place.join("."), it["msg"].as_str().unwrap_or_default())
        };
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    });
    let text = || String::from_utf8_lossy(body).chars().take(300).collect::<String>();
    let detail = fields.or_else(|| json["detail"].as_str().map(str::to_owned)).unwrap_or_else(text);
    let next = match status {
        401 | 403 => "; check the key",
        404 => "; check the address and that this server has the endpoint",
        415 | 422 => "; the server may be of another version",
        _ => "",
    };
    remote(format!("`{url}` answered {status}: {detail}{next}"))
}

pub(super) fn remote(message: String) -> EngineError {
    EngineError::Remote { message }
}
