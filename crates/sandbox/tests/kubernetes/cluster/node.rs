//! The node: takes every pod, runs its containers, and says what becomes of them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::container::{self, Pause};
use super::{IMAGE, NAMESPACE, State};

/// The first of the users that pods get when root runs this.
const FIRST_USER: u32 = 71_000;

/// What the node is like and what runs on it.
pub(crate) struct Node {
    base: PathBuf,
    address: SocketAddr,
    pods: Mutex<HashMap<String, Arc<Running>>>,
    /// Whether the network policy is enforced.
    pub(crate) isolated: AtomicBool,
    /// Whether pods find room.
    pub(crate) full: AtomicBool,
    users: AtomicU32,
}

/// The processes of one pod.
struct Running {
    pause: Pause,
    /// The first processes of its containers.
    containers: Mutex<HashMap<String, i32>>,
    /// Why the node ended a container, if it did.
    reason: Mutex<Option<&'static str>>,
}

impl Node {
    pub(crate) fn new(base: PathBuf, address: SocketAddr) -> Self {
        let pods = Mutex::default();
        Self { base, address, pods, isolated: true.into(), full: false.into(), users: AtomicU32::new(FIRST_USER) }
    }

    /// Starts a program in a container, if that runs.
    pub(crate) fn exec(&self, pod: &str, container: &str, argv: &[String]) -> Option<Child> {
        let running = self.pods.lock().expect("not poisoned").get(pod).cloned()?;
        let first = *running.containers.lock().expect("not poisoned").get(container)?;
        running.pause.exec(first, &self.variables(), argv).ok()
    }

    /// Ends a container because it uses too much memory.
    pub(crate) fn out_of_memory(&self, pod: &str, container: &str) {
        let running = self.pods.lock().expect("not poisoned")[pod].clone();
        *running.reason.lock().expect("not poisoned") = Some("OOMKilled");
        container::kill(running.containers.lock().expect("not poisoned")[container]);
    }

    /// Whether no container of a pod runs.
    fn is_over(&self, pod: &str) -> bool {
        let pods = self.pods.lock().expect("not poisoned");
        pods.get(pod).is_none_or(|running| running.containers.lock().expect("not poisoned").is_empty())
    }

    /// Ends everything of a pod.
    pub(crate) fn kill(&self, pod: &str) {
        self.pods.lock().expect("not poisoned").remove(pod);
    }

    pub(crate) fn kill_all(&self) {
        self.pods.lock().expect("not poisoned").clear();
    }

    /// What every container of a cluster finds in its environment.
    fn variables(&self) -> Vec<String> {
        vec![
            "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into(),
            format!("KUBERNETES_SERVICE_HOST={}", self.address.ip()),
            format!("KUBERNETES_SERVICE_PORT={}", self.address.port()),
        ]
    }
}

/// Looks after pods until the runtime ends.
pub(crate) async fn run(state: Arc<State>) {
    let mut changes = state.changed.subscribe();
    let mut known = Vec::new();
    loop {
        changes.mark_unchanged();
        let pods = state.store.lock().expect("not poisoned").list("pods", NAMESPACE, "");
        for pod in pods {
            let uid = pod["metadata"]["uid"].to_string();
            if !known.contains(&uid) {
                known.push(uid);
                tokio::spawn(look_after(state.clone(), pod));
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn look_after(state: Arc<State>, pod: Value) {
    let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
    let mut changes = state.changed.subscribe();
    tokio::select! {
        over = live(&state, &name, &pod) => if !over { return },
        // Whoever is deleted while it lives has the time that it was given.
        grace = deleted(&state, &name, &mut changes) => {
            // Containers that end by themselves are not waited for.
            for _ in 0..grace * 50 {
                if state.node.is_over(&name) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    end(&state, &name).await;
    deleted(&state, &name, &mut changes).await;
    state.change(|store| store.remove("pods", NAMESPACE, &name));
}

/// Runs the containers until all have ended, the deadline is over, or the pod has failed.
async fn live(state: &Arc<State>, name: &str, pod: &Value) -> bool {
    if !pull(state, name, pod).await {
        return futures::future::pending().await;
    }
    while state.node.full.load(Ordering::Relaxed) {
        let condition = json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory." }]);
        tell(state, name, |status| status["conditions"] = condition);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (sender, mut ended) = mpsc::unbounded_channel();
    let begun = {
        let (state, name, pod) = (state.clone(), name.to_owned(), pod.clone());
        tokio::task::spawn_blocking(move || begin(&state, &name, &pod, &sender)).await
    };
    if let Err(error) | Ok(Err(error)) = begun.map_err(std::io::Error::other) {
        eprintln!("pod {name}: {error}");
        let message = error.to_string();
        let waiting = json!({ "waiting": { "reason": "CreateContainerError", "message": message } });
        tell(state, name, |status| status["containerStatuses"] = json!([container_status("agent", &waiting)]));
        return futures::future::pending().await;
    }
    let running = json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } });
    let names = ["agent", "keeper"];
    tell(state, name, |status| {
        status["phase"] = json!("Running");
        status["containerStatuses"] = names.iter().map(|name| container_status(name, &running)).collect();
    });
    let deadline = Duration::from_secs(pod["spec"]["activeDeadlineSeconds"].as_u64().unwrap_or(u64::MAX / 4));
    let over = tokio::time::sleep(deadline);
    tokio::pin!(over);
    let mut left = names.len();
    while left > 0 {
        tokio::select! {
            () = &mut over => {
                tell(state, name, |status| {
                    status["phase"] = json!("Failed");
                    status["reason"] = json!("DeadlineExceeded");
                    status["message"] = json!("Pod was active on the node longer than the specified deadline");
                });
                return true;
            }
            Some((container, code)) = ended.recv() => {
                left -= 1;
                say_ended(state, name, &container, code);
            }
        }
    }
    tell(state, name, |status| {
        if status["phase"] == "Running" {
            status["phase"] = json!("Succeeded");
        }
    });
    true
}

fn say_ended(state: &State, name: &str, container: &str, code: i32) {
    let running = state.node.pods.lock().expect("not poisoned").get(name).cloned();
    let Some(running) = running else { return };
    running.containers.lock().expect("not poisoned").remove(container);
    let told = running.reason.lock().expect("not poisoned").take();
    let reason = told.unwrap_or(if code == 0 { "Completed" } else { "Error" });
    let code = if told.is_some() { 137 } else { code };
    let terminated = json!({ "terminated": { "exitCode": code, "reason": reason } });
    tell(state, name, |status| {
        for entry in status["containerStatuses"].as_array_mut().into_iter().flatten() {
            if entry["name"] == container {
                entry["state"] = terminated.clone();
            }
        }
    });
}

/// Starts everything; how containers end is sent.
fn begin(state: &State, name: &str, pod: &Value, ended: &mpsc::UnboundedSender<(String, i32)>) -> std::io::Result<()> {
    let node = &state.node;
    let user = rustix::process::geteuid().is_root().then(|| node.users.fetch_add(1, Ordering::Relaxed));
    let pause = Pause::start(node.base.join(name), pod, user, node.isolated.load(Ordering::Relaxed))?;
    for first in pod["spec"]["initContainers"].as_array().into_iter().flatten() {
        let status = pause.container(first, &node.variables())?.wait()?;
        if !status.success() {
            return Err(std::io::Error::other(format!("container {}: {status}", first["name"])));
        }
    }
    let mut containers = HashMap::new();
    for spec in pod["spec"]["containers"].as_array().into_iter().flatten() {
        let mut child = pause.container(spec, &node.variables())?;
        let first = container::first_process(&child)?;
        let name = spec["name"].as_str().unwrap_or_default().to_owned();
        containers.insert(name.clone(), first);
        let ended = ended.clone();
        std::thread::spawn(move || {
            let code = child.wait().map_or(255, container::status);
            let _ = ended.send((name, code));
        });
    }
    let running = Running { pause, containers: Mutex::new(containers), reason: Mutex::new(None) };
    node.pods.lock().expect("not poisoned").insert(name.into(), Arc::new(running));
    if state.store.lock().expect("not poisoned").get("pods", NAMESPACE, name).is_err() {
        // It was deleted meanwhile.
        node.pods.lock().expect("not poisoned").remove(name);
    }
    Ok(())
}

/// Says how the image fares; whether it is there.
async fn pull(state: &State, name: &str, pod: &Value) -> bool {
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    if image == IMAGE {
        return true;
    }
    let waiting = |reason: &str, message: &str| {
        let waiting = json!({ "waiting": { "reason": reason, "message": message } });
        let both: Vec<Value> = ["agent", "keeper"].iter().map(|name| container_status(name, &waiting)).collect();
        tell(state, name, |status| status["containerStatuses"] = json!(both));
    };
    let busy = image.contains("busy");
    let cause =
        if busy { "unexpected status code 429 Too Many Requests".to_owned() } else { format!("{image}: not found") };
    waiting(
        "ErrImagePull",
        &format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {cause}"),
    );
    tokio::time::sleep(Duration::from_millis(200)).await;
    waiting("ImagePullBackOff", &format!("Back-off pulling image \"{image}\""));
    tokio::time::sleep(Duration::from_millis(200)).await;
    busy
}

/// Waits until a pod is to go; with how many seconds of grace.
async fn deleted(state: &State, name: &str, changes: &mut tokio::sync::watch::Receiver<u64>) -> u64 {
    loop {
        changes.mark_unchanged();
        let pod = state.store.lock().expect("not poisoned").get("pods", NAMESPACE, name);
        match pod {
            Err(_) => return 0,
            Ok(pod) if pod["metadata"]["deletionTimestamp"].is_string() => {
                return pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0);
            }
            Ok(_) => {}
        }
        if changes.changed().await.is_err() {
            return 0;
        }
    }
}

/// Kills everything of a pod.
async fn end(state: &Arc<State>, name: &str) {
    let running = state.node.pods.lock().expect("not poisoned").remove(name);
    let _ = tokio::task::spawn_blocking(move || drop(running)).await;
}

fn tell(state: &State, name: &str, change: impl FnOnce(&mut Value)) {
    state.change(|store| store.update("pods", NAMESPACE, name, |pod| change(&mut pod["status"])));
}

fn container_status(name: &str, state: &Value) -> Value {
    json!({ "name": name, "image": IMAGE, "imageID": "", "ready": true, "restartCount": 0, "state": state })
}
