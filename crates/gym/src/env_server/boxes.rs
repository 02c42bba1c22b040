//! Boxes: a sandbox as it is, for programs that bring agent and grader themselves. Files go in and out as tar.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use basis_sandbox::{Command, Outcome, Output, Sandbox, SandboxError};
use serde_json::{Value, json};

use super::{lock, missing};
use crate::episode::InvalidCause;
use crate::serve::{Request, Response};
use crate::task::Task;

/// Opens a box for a task: its tree at the working directory, and a system that can be written.
pub type Open = Box<dyn Fn(&Task) -> Result<Box<dyn Sandbox>, InvalidCause> + Send + Sync>;

type Shared = Arc<Mutex<Box<dyn Sandbox>>>;

/// The boxes that are open.
#[derive(Default)]
pub(super) struct Boxes {
    open: Mutex<BTreeMap<String, Shared>>,
    begun: AtomicU64,
}

impl Boxes {
    /// Keeps a box and names it; refuses more than `most`.
    pub(super) fn begin(&self, sandbox: Box<dyn Sandbox>, most: usize) -> Result<Value, Response> {
        let mut open = lock(&self.open);
        if open.len() >= most {
            return Err(Response::error(429, &format!("{most} boxes are open; delete one, or try later")));
        }
        let id = format!("s{}", self.begun.fetch_add(1, Ordering::Relaxed) + 1);
        open.insert(id.clone(), Arc::new(Mutex::new(sandbox)));
        Ok(json!({"sandbox": id}))
    }

    /// Closes a box; it is gone when this returns, unless a command still runs in it.
    pub(super) fn end(&self, id: &str) -> Result<Value, Response> {
        let gone = lock(&self.open).remove(id).ok_or_else(|| unknown(id))?;
        lock(&gone).destroy().map_err(|error| broken(&error))?;
        Ok(json!({"deleted": id}))
    }

    /// Runs one command.
    pub(super) fn exec(&self, id: &str, body: &Value) -> Result<Value, Response> {
        let argv: Option<Vec<String>> =
            body["command"].as_array().and_then(|list| list.iter().map(|it| Some(it.as_str()?.to_owned())).collect());
        let argv = argv.filter(|argv| !argv.is_empty()).ok_or_else(|| missing("command", "a list of texts"))?;
        let mut command = Command::new(argv);
        command.cwd = body["cwd"].as_str().map(str::to_owned);
        let seconds = body["seconds"].as_f64().filter(|seconds| *seconds > 0.0);
        command.wall = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let Some(env) = body["env"].as_object() {
            let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
            let env: Option<BTreeMap<String, String>> = env.iter().map(text).collect();
            command.env = env.ok_or_else(|| missing("env", "texts by name"))?;
        }
        let output = self.run(id, &command)?;
        let (status, ended) = match output.outcome {
            Outcome::Exited(status) => (Some(status), "exited"),
            Outcome::Signalled(_) => (None, "signalled"),
            Outcome::TimedOut => (None, "timed_out"),
            Outcome::OutOfMemory => (None, "out_of_memory"),
            Outcome::TooMuchOutput => (None, "too_much_output"),
            Outcome::Interrupted => (None, "interrupted"),
        };
        Ok(json!({
            "status": status,
            "ended": ended,
            "stdout": output.stdout.text(),
            "stderr": output.stderr.text(),
            "seconds": output.duration.as_secs_f64(),
        }))
    }

    /// Unpacks the tar that the request brings below a directory.
    pub(super) fn put(&self, id: &str, directory: &[&str], request: &Request) -> Result<Value, Response> {
        let target = format!("/{}", directory.join("/"));
        let line = "mkdir -p -- \"$1\" && exec tar -x -f - -C \"$1\" --no-same-owner";
        let mut command = Command::new(["sh", "-c", line, "sh", &target]);
        command.stdin.clone_from(&request.body);
        self.succeed(id, &command).map(|_| json!({"unpacked": target}))
    }

    /// A file, or what is in a directory, as tar.
    pub(super) fn get(&self, id: &str, path: &[&str]) -> Result<Response, Response> {
        let path = format!("/{}", path.join("/"));
        let line = "if [ -d \"$1\" ]; then exec tar -c -f - -C \"$1\" .; \
                    else exec tar -c -f - -C \"$(dirname -- \"$1\")\" -- \"$(basename -- \"$1\")\"; fi";
        let output = self.succeed(id, &Command::new(["sh", "-c", line, "sh", &path]))?;
        let dropped = output.stdout.total - output.stdout.bytes.len() as u64;
        match dropped {
            0 => Ok(Response::bytes(200, "application/x-tar", output.stdout.bytes)),
            _ => Err(Response::error(
                413,
                &format!("`{path}` is {} bytes as tar, more than can be read", output.stdout.total),
            )),
        }
    }

    fn succeed(&self, id: &str, command: &Command) -> Result<Output, Response> {
        let output = self.run(id, command)?;
        match output.outcome {
            Outcome::Exited(0) => Ok(output),
            outcome => Err(Response::error(422, &format!("{outcome:?}: {}", output.stderr.text().trim()))),
        }
    }

    fn run(&self, id: &str, command: &Command) -> Result<Output, Response> {
        let shared = lock(&self.open).get(id).cloned().ok_or_else(|| unknown(id))?;
        let output = lock(&shared).exec(command);
        output.map_err(|error| broken(&error))
    }
}

fn unknown(id: &str) -> Response {
    Response::error(404, &format!("there is no sandbox `{id}`; it was deleted, or never begun"))
}

fn broken(error: &SandboxError) -> Response {
    Response::error(503, &error.to_string())
}
