//! Requests to a Tinker server: submission with retries under one idempotency key, and polling for what they promised.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use basis_gym::client::{Answer, CallError, Client, Target};
use pollster::FutureExt as _;
use serde_json::{Value, json};

use super::TinkerConfig;
use crate::engines::EngineError;

/// Longer answers are not read.
const LONGEST: usize = 1 << 30;
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
    client: Client,
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
        let client = Client::new(Target {
            address: &config.url,
            example: "http://localhost:8000",
            proxy: config.proxy.as_deref(),
            connect: Duration::from_secs(5),
            request: POLL + Duration::from_secs(15),
            longest: LONGEST,
        })
        .map_err(|error| remote(error.to_string()))?;
        let base = client.base().trim_end_matches("/api/v1").to_owned();
        Ok(Self { client, base, key: config.key.clone(), keys: AtomicU64::new(0), notice })
    }

    /// What a `GET` gives.
    pub(super) fn get(&self, path: &str) -> Result<Value, EngineError> {
        let url = self.url(path);
        let answer = self.client.get(&url, &self.authorized(&[])).block_on();
        let answer = answer.map_err(|error| self.unreachable(&url, &error))?;
        match answer.status {
            200 => parse(&url, &answer.body),
            _ => Err(refused(&url, &answer)),
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
                Ok(answer) if answer.status == 200 => return parse(&url, &answer.body),
                // 409 means that a number was used twice, which no repetition mends.
                Ok(answer) if matches!(answer.status, 408 | 429 | 500..) => {
                    if start.elapsed() > PATIENCE {
                        return Err(refused(&url, &answer));
                    }
                    answer.retry_after()
                }
                Ok(answer) if is_stranger(&answer) => return Err(self.lost(path)),
                Ok(answer) => return Err(refused(&url, &answer)),
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
                Ok(answer) if answer.status == 200 && answer.header("content-type").starts_with(PROTOBUF) => {
                    return Ok(Kept::Protobuf(answer.body));
                }
                Ok(answer) if answer.status == 200 => {
                    let answer = parse(&url, &answer.body)?;
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
                Ok(answer) if answer.status == 408 => (away, pause) = (None, FIRST_PAUSE),
                Ok(answer) if matches!(answer.status, 429 | 500..) => {
                    if away.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(refused(&url, &answer));
                    }
                    sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                // A promise that the server does not know any more is lost with what it was about.
                Ok(answer) if matches!(answer.status, 404 | 410) || is_stranger(&answer) => return Err(self.lost(what)),
                Ok(answer) => return Err(refused(&url, &answer)),
                // SkyRL holds a poll for as long as 300 s, so silence alone says nothing about the server.
                Err(CallError::Timeout) if self.get("healthz").is_ok() => {
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

    fn attempt(&self, url: &str, sent: &Sent<'_>, headers: &[(&str, &str)]) -> Result<Answer, CallError> {
        let text;
        let (kind, body) = match sent {
            Sent::Json(value) => {
                text = value.to_string();
                ("application/json", text.as_bytes())
            }
            Sent::Protobuf(bytes) => (PROTOBUF, *bytes),
        };
        let headers = [self.authorized(headers), vec![("content-type", kind)]].concat();
        self.client.post(url, &headers, &[body]).block_on()
    }

    /// These headers and the key.
    fn authorized<'a>(&'a self, headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let key = self.key.as_deref().map(|key| ("x-api-key", key));
        headers.iter().copied().chain(key).collect()
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

    fn unreachable(&self, url: &str, error: &CallError) -> EngineError {
        remote(format!(
            "cannot reach `{url}`: {error}; check the address and that the server is up, then run the same command"
        ))
    }
}

/// Whether a server says that it does not have the model: it is another process than the one that made it. Ours says so at once, SkyRL's
/// keeps requests in a file and says so of those that an earlier process left behind.
fn is_stranger(answer: &Answer) -> bool {
    let body = String::from_utf8_lossy(&answer.body);
    match answer.status {
        400 => body.contains("not loaded"),
        404 => body.contains("there is no model") || body.contains("Model not found"),
        _ => false,
    }
}

/// Whether a failure may pass by itself.
fn is_passing(error: &CallError) -> bool {
    !matches!(error, CallError::Unwritable(_) | CallError::TooLong(_))
}

fn parse(url: &str, body: &[u8]) -> Result<Value, EngineError> {
    serde_json::from_slice(body).map_err(|_| remote(format!("`{url}` sent no JSON; is it a Tinker server?")))
}

/// `{"detail": …}`, as a text or as a list of what is wrong with which field.
fn refused(url: &str, answer: &Answer) -> EngineError {
    let Answer { status, body, .. } = answer;
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
