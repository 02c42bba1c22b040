//! A cluster of our own: an API server in memory with one node, whose containers are real processes in real namespaces.
//!
//! It answers as a 1.36 server was recorded to answer, as far as this backend asks. Real are: HTTP, WebSockets, watches with resource
//! versions, conflicts, graceful deletion, garbage collection by owner, the deadline of a pod, processes, mounts, volumes with a size,
//! an empty network. Not real: memory and processor limits (a test says when memory runs out), seccomp, TLS, the pulling of images,
//! a scheduler, an overlay of image layers: the image is `/usr` of this machine.

mod container;
mod exec;
mod http;
mod node;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) use store::{Effect, Fault, Store};

/// The namespace that exists.
pub(crate) const NAMESPACE: &str = "basis";
/// An image that the node has; another one is not found, and one with `busy` in its name only after some time.
pub(crate) const IMAGE: &str = "registry.example/image:1";
/// What the server takes as a password.
pub(crate) const TOKEN: &str = "secret";

/// A running cluster. Dropping it ends everything in it.
pub(crate) struct Cluster {
    runtime: Option<Runtime>,
    pub(crate) state: Arc<State>,
    pub(crate) directory: TempDir,
    address: SocketAddr,
}

/// What the server and the node share.
pub(crate) struct State {
    pub(crate) store: Mutex<Store>,
    /// Tells watches and the node that something changed.
    pub(crate) changed: tokio::sync::watch::Sender<u64>,
    /// Tells the connections of running programs to break.
    pub(crate) broken: tokio::sync::watch::Sender<u64>,
    pub(crate) node: node::Node,
    /// What the credentials allow: nothing but the role of the guide.
    role: Vec<(String, String)>,
}

impl Cluster {
    /// Starts one with a namespace and a network policy in it.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .max_blocking_threads(8192)
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("opened");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("bound");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            store: Mutex::new(Store::new()),
            changed: tokio::sync::watch::Sender::new(0),
            broken: tokio::sync::watch::Sender::new(0),
            role: http::role(),
            node: node::Node::new(directory.path().join("node"), address),
        });
        let policy = json!({
            "metadata": { "name": "isolated" },
            "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"] },
        });
        state.change(|store| store.create("networkpolicies", NAMESPACE, policy)).expect("made");
        runtime.spawn(http::serve(state.clone(), listener));
        runtime.spawn(node::run(state.clone()));
        Self { runtime: Some(runtime), state, directory, address }
    }

    /// Writes a file that leads to this cluster.
    pub(crate) fn kubeconfig(&self, token: &str) -> PathBuf {
        let path = self.directory.path().join(format!("kubeconfig-{token}"));
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{ "name": "one", "cluster": { "server": format!("http://{}", self.address) } }],
            "users": [{ "name": "one", "user": { "token": token } }],
            "contexts": [{ "name": "one", "context": { "cluster": "one", "user": "one" } }],
        });
        std::fs::write(&path, text.to_string()).expect("written");
        path
    }

    /// Makes the next fitting call go wrong.
    pub(crate) fn fault(&self, fault: Fault) {
        self.state.store.lock().expect("not poisoned").faults.push(fault);
    }

    /// All objects of a kind.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        self.state.store.lock().expect("not poisoned").list(kind, NAMESPACE, "")
    }

    /// The name of the only pod.
    pub(crate) fn pod(&self) -> String {
        let pods = self.objects("pods");
        assert_eq!(pods.len(), 1, "one pod");
        pods[0]["metadata"]["name"].as_str().expect("a name").to_owned()
    }

    /// Waits until `condition` holds of the objects of a kind.
    pub(crate) fn eventually(&self, kind: &str, condition: impl Fn(&[Value]) -> bool) {
        for _ in 0..3000 {
            if condition(&self.objects(kind)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never came true: {:?}", self.objects(kind));
    }
}

impl State {
    /// Changes the store and tells everyone.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let result = change(&mut self.store.lock().expect("not poisoned"));
        self.changed.send_modify(|count| *count += 1);
        result
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.state.node.kill_all();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}
