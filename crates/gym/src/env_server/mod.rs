//! The environment server: loops of others act on our tasks over HTTP; sandbox, tools and grader stay here.
//!
//! Whoever has a loop of their own (a trainer, an evaluation harness) asks for an episode, gets its messages and tools, and sends each
//! assistant turn as a message of chat completions. Behind each episode stands the same agent loop as behind every other one, with a
//! policy whose turns come from the client, so that what is seen, collected and graded is the same. The server samples nothing and never
//! shows what only a grader may know.

mod boxes;
mod visit;
mod visitor;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::episode::Episode;
use crate::policy::Reading;
use crate::rollout::{Job, World};
use crate::serve::{Handler, Request, Response};
use crate::task::Task;
use boxes::Boxes;
use visit::{Turn, Visit};

pub use boxes::Open;

/// Where episodes go when they are over.
pub type Keep = Arc<dyn Fn(Episode) -> Result<(), String> + Send + Sync>;

/// The first parts of the paths that are answered here.
const PLACES: [&str; 3] = ["tasks", "episodes", "sandboxes"];

/// See the module.
pub struct EnvServer {
    /// In the order of the pack.
    tasks: Vec<Arc<Task>>,
    world: Arc<dyn World>,
    config: EnvConfig,
    visits: Mutex<BTreeMap<String, Arc<Visit>>>,
    begun: AtomicU64,
    /// Of each task, the sample that an episode gets whose client names none.
    samples: Mutex<BTreeMap<String, u32>>,
    boxes: Boxes,
}

/// What is bounded, who may ask, and where episodes go.
pub struct EnvConfig {
    /// An episode whose client says nothing for so long is over, and invalid.
    pub patience: Duration,
    /// Episodes that are open at the same time.
    pub most: usize,
    /// What requests must bring as a bearer token, if anything; what follows a colon is not looked at.
    pub key: Option<String>,
    /// Told of every episode that is over.
    pub keep: Option<Keep>,
    /// Opens boxes; without it there are none.
    pub open: Option<Open>,
}

impl Default for EnvConfig {
    fn default() -> Self {
        Self { patience: Duration::from_secs(600), most: 4096, key: None, keep: None, open: None }
    }
}

impl EnvServer {
    /// A server of these tasks.
    pub fn new(tasks: Vec<Arc<Task>>, world: Arc<dyn World>, config: EnvConfig) -> Self {
        Self {
            tasks,
            world,
            config,
            visits: Mutex::default(),
            begun: AtomicU64::new(0),
            samples: Mutex::default(),
            boxes: Boxes::default(),
        }
    }

    /// Whether a path is answered here.
    pub fn answers(path: &str) -> bool {
        PLACES.contains(&path.trim_start_matches('/').split('/').next().unwrap_or_default())
    }

    fn route(&self, request: &Request) -> Result<Response, Response> {
        self.check_key(request)?;
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let value = match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["tasks"]) => json!({"tasks": self.tasks.iter().map(|task| wire::task(task)).collect::<Vec<_>>()}),
            ("GET", ["tasks", id]) => wire::task(&*self.task(id)?),
            ("POST", ["tasks", id, "grade"]) => self.grade(id, &body(request)?)?,
            ("GET", ["episodes"]) => {
                json!({"episodes": lock(&self.visits).iter().map(|(id, visit)| visit.line(id)).collect::<Vec<_>>()})
            }
            ("POST", ["episodes"]) => self.begin(&body(request)?)?,
            ("POST", ["episodes", id, "act"]) => self.act(id, &body(request)?)?,
            ("POST", ["episodes", id, "full"]) => self.visit(id)?.full().map_err(|why| conflict(&why))?.to_json(),
            ("GET", ["episodes", id]) => self.visit(id)?.line(id),
            ("DELETE", ["episodes", id]) => {
                self.visit(id)?;
                lock(&self.visits).remove(*id);
                json!({"deleted": id})
            }
            ("POST", ["sandboxes"]) => self.open(&body(request)?)?,
            ("POST", ["sandboxes", id, "exec"]) => self.boxes.exec(id, &body(request)?)?,
            ("POST", ["sandboxes", id, "put", directory @ ..]) => self.boxes.put(id, directory, request)?,
            ("GET", ["sandboxes", id, "get", path @ ..]) => return self.boxes.get(id, path),
            ("DELETE", ["sandboxes", id]) => self.boxes.end(id)?,
            (method, _) => {
                let path = &request.path;
                return Err(Response::error(404, &format!("there is no `{method} {path}` here; {}", wire::PLACES)));
            }
        };
        Ok(Response::json(200, &value))
    }

    fn begin(&self, body: &Value) -> Result<Value, Response> {
        let task = self.task(body["task"].as_str().ok_or_else(|| missing("task", "the id of a task"))?)?;
        let sample = number(body, "sample")?.map(u32::try_from).transpose();
        let sample =
            sample.map_err(|_| missing("sample", "a number below 2^32"))?.unwrap_or_else(|| self.next_sample(&task));
        let seed = number(body, "seed")?.unwrap_or_default();
        let policy = body["policy"].as_str().unwrap_or("visitor");
        self.sweep()?;
        let id = format!("e{}", self.begun.fetch_add(1, Ordering::Relaxed) + 1);
        let job = Job { task: task.clone(), sample, seed };
        let visit =
            Arc::new(Visit::begin(job, policy, self.world.clone(), self.config.patience, self.config.keep.clone()));
        lock(&self.visits).insert(id.clone(), visit.clone());
        Ok(wire::opening(&id, &task, &visit.open()))
    }

    fn next_sample(&self, task: &Task) -> u32 {
        let mut samples = lock(&self.samples);
        let next = samples.entry(task.id.clone()).or_default();
        *next += 1;
        *next - 1
    }

    fn act(&self, id: &str, message: &Value) -> Result<Value, Response> {
        let visit = self.visit(id)?;
        let reading = Reading::of(message).map_err(|why| Response::error(400, &why))?;
        let turn: Turn = visit.act(reading).map_err(|why| conflict(&why))?;
        Ok(turn.to_json())
    }

    fn grade(&self, id: &str, body: &Value) -> Result<Value, Response> {
        let task = self.task(id)?;
        let submission = wire::submission(body).map_err(|why| Response::error(400, &why))?;
        Ok(wire::grade(&self.world.grade(&task, &submission)))
    }

    fn open(&self, body: &Value) -> Result<Value, Response> {
        let task = self.task(body["task"].as_str().ok_or_else(|| missing("task", "the id of a task"))?)?;
        let open = self.config.open.as_ref().ok_or_else(|| Response::error(404, "no boxes are given out here"))?;
        let sandbox = open(&task).map_err(|cause| Response::error(503, cause.message()))?;
        self.boxes.begin(sandbox, self.config.most)
    }

    fn task(&self, id: &str) -> Result<Arc<Task>, Response> {
        let task = self.tasks.iter().find(|task| task.id == id).cloned();
        task.ok_or_else(|| Response::error(404, &format!("there is no task `{id}`; `GET /tasks` lists them")))
    }

    fn visit(&self, id: &str) -> Result<Arc<Visit>, Response> {
        let visit = lock(&self.visits).get(id).cloned();
        visit
            .ok_or_else(|| Response::error(404, &format!("there is no episode `{id}`; it was deleted, or never begun")))
    }

    /// Forgets what is over and was not asked for any more; refuses when too many are open.
    fn sweep(&self) -> Result<(), Response> {
        let mut visits = lock(&self.visits);
        visits.retain(|_, visit| !visit.is_stale());
        match visits.len() < self.config.most {
            true => Ok(()),
            false => {
                let most = self.config.most;
                Err(Response::error(429, &format!("{most} episodes are open; end or delete one, or try later")))
            }
        }
    }

    fn check_key(&self, request: &Request) -> Result<(), Response> {
        let Some(key) = &self.config.key else { return Ok(()) };
        let rest = request.bearer().and_then(|given| given.trim().strip_prefix(key.as_str()));
        match rest {
            Some(rest) if rest.is_empty() || rest.starts_with(':') => Ok(()),
            _ => Err(Response::error(401, "the key is missing or wrong; send it as `Authorization: Bearer <key>`")),
        }
    }
}

impl Handler for EnvServer {
    fn handle(&self, request: &Request) -> Response {
        self.route(request).unwrap_or_else(|refusal| refusal)
    }
}

fn body(request: &Request) -> Result<Value, Response> {
    let value = request.json()?;
    match value.is_object() {
        true => Ok(value),
        false => Err(Response::error(400, "the body is no JSON object")),
    }
}

fn number(body: &Value, name: &str) -> Result<Option<u64>, Response> {
    match &body[name] {
        Value::Null => Ok(None),
        value => value.as_u64().map(Some).ok_or_else(|| missing(name, "a whole number")),
    }
}

fn missing(name: &str, expected: &str) -> Response {
    Response::error(400, &format!("`{name}` is missing or wrong, expected {expected}"))
}

/// What cannot be done with an episode as it is.
fn conflict(why: &str) -> Response {
    Response::error(409, why)
}

/// A panic elsewhere leaves what was kept whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
