//! The attacks in pods: of the cluster that was named, or else of one of our own.
//!
//! A node of our own has real namespaces, volumes and networks. It has no limits of memory, no runtime's system-call filter, and does
//! not cover `/proc`: what rests on these is left to real nodes, and the table says so, as it says what pods are open to.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use basis_sandbox::backends::{self, KubernetesOptions, Options};
use basis_sandbox::{Backend, SandboxError};

use crate::cluster::{self, Cluster};
use crate::{registry, results, table};

/// The same variables as in `tests/kubernetes`.
const KUBECONFIG: &str = "BASIS_TEST_KUBECONFIG";
const IMAGE: &str = "BASIS_TEST_IMAGE";
const NAMESPACE: &str = "BASIS_TEST_NAMESPACE";

/// Attacks that only a real node can contain: limits of memory, the runtime's filter of system calls, what it covers of `/proc`, and
/// that the user of a pod is not the root to which the kernel gives the `/proc` files of a process that is closed.
const LEFT_TO_THE_NODE: &[usize] = &[2, 3, 17, 19, 20, 24, 33, 34, 35, 36, 40];
const NODE: &str = "left to the node";
/// Attacks that pods are open to on every node, and why. No field of a pod limits the number of names in a volume. A container has one
/// user, and the kernel lets a user set the limits of all its processes.
const OPEN: &[(usize, &str)] = &[
    (5, "open: names are not limited"),
    (11, "open: PID 1 has the same user, who can set its limits; its memory and files are closed"),
];

/// What leads a copy of this program to the same cluster.
pub(crate) fn environment() -> Vec<(&'static str, String)> {
    let own = OWN.get().cloned().into_iter();
    own.flat_map(|path| [(KUBECONFIG, path), (IMAGE, cluster::IMAGE.into()), (NAMESPACE, cluster::NAMESPACE.into())])
        .collect()
}

/// The kubeconfig of the cluster of our own.
static OWN: OnceLock<String> = OnceLock::new();

/// Opens the backend in the cluster that was named.
pub(crate) fn open_named() -> Result<Arc<dyn Backend>, SandboxError> {
    let Some(kubeconfig) = std::env::var_os(KUBECONFIG) else {
        let reason = format!("{KUBECONFIG} does not lead to a cluster");
        return Err(SandboxError::Unavailable { backend: "kubernetes", reason });
    };
    let kubernetes = KubernetesOptions {
        kubeconfig: Some(kubeconfig.into()),
        image: std::env::var(IMAGE).unwrap_or_default(),
        namespace: std::env::var(NAMESPACE).unwrap_or_else(|_| "basis".into()),
        start: Duration::from_secs(300),
        ..KubernetesOptions::default()
    };
    backends::open_with("kubernetes", &Options { kubernetes, ..Options::default() })
}

#[test]
fn the_reference_says_what_holds_in_pods() {
    if std::env::var_os(KUBECONFIG).is_some() {
        return hold("kubernetes, real nodes", open_named().expect("opened").as_ref(), &[]);
    }
    let unshare = ["--map-root-user", "--mount", "--pid", "--net", "--fork", "true"];
    if !std::process::Command::new("unshare").args(unshare).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no containers here");
        return;
    }
    let cluster = Cluster::start();
    let kubeconfig = cluster.kubeconfig(cluster::TOKEN);
    OWN.get_or_init(|| kubeconfig.display().to_string());
    let kubernetes = KubernetesOptions {
        kubeconfig: Some(kubeconfig),
        namespace: cluster::NAMESPACE.into(),
        image: cluster::IMAGE.into(),
        ..KubernetesOptions::default()
    };
    let backend = backends::open_with("kubernetes", &Options { kubernetes, ..Options::default() }).expect("opened");
    hold("kubernetes, node of the tests", backend.as_ref(), LEFT_TO_THE_NODE);
}

/// Runs all attacks but those that are known to need a real node, or to be open, and holds the reference to what comes of them.
fn hold(column: &str, backend: &dyn Backend, left: &[usize]) {
    let mut succeeded = Vec::new();
    let cell = |attack: &crate::Attack| match OPEN.iter().find(|(number, _)| *number == attack.number) {
        Some((_, reason)) => (*reason).to_owned(),
        None if left.contains(&attack.number) => NODE.to_owned(),
        None => {
            if let Err(message) = results::attempt(attack, backend) {
                succeeded.push(format!("{} ({}): {message}", attack.number, attack.name));
            }
            table::CONTAINED.to_owned()
        }
    };
    let cells = registry::ALL.iter().map(cell).collect();
    assert!(succeeded.is_empty(), "{}", succeeded.join("\n"));
    table::table().compare([(column.to_owned(), cells)].into());
}
