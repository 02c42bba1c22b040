//! The backend `kubernetes`, against a cluster of our own or a real one.
//!
//! With BASIS_TEST_KUBECONFIG (a file) and BASIS_TEST_IMAGE, the conformance suite runs in the real cluster that the file leads to; the
//! namespace, role and policy of `docs/guides/kubernetes.md` must be there. Without, it runs in [`cluster`]. What needs a cluster that
//! misbehaves always runs there.

#![expect(clippy::print_stderr, reason = "skipped tests say why")]

mod causes;
mod cluster;
mod conformance;
mod opening;
mod running;

#[allow(dead_code, reason = "shared with the conformance suite")]
#[path = "../conformance/fixture.rs"]
mod fixture;

use std::sync::Arc;
use std::time::Duration;

use basis_sandbox::backends::{self, KubernetesOptions, Options};
use basis_sandbox::{Backend, SandboxError};

use cluster::Cluster;

/// What leads to a cluster of our own.
fn options(cluster: &Cluster) -> Options {
    let kubernetes = KubernetesOptions {
        kubeconfig: Some(cluster.kubeconfig(cluster::TOKEN)),
        namespace: cluster::NAMESPACE.into(),
        image: cluster::IMAGE.into(),
        start: Duration::from_secs(60),
        ..KubernetesOptions::default()
    };
    Options { kubernetes, ..Options::default() }
}

fn open(cluster: &Cluster) -> Arc<dyn Backend> {
    backends::open_with("kubernetes", &options(cluster)).expect("opened")
}

/// Opens with other options; it must fail.
fn refused(options: &Options) -> SandboxError {
    backends::open_with("kubernetes", options).err().expect("refused")
}

/// A cluster of our own, where this machine lets us run its containers.
fn start() -> Option<Cluster> {
    has_containers().then(Cluster::start)
}

/// Whether this machine lets us run containers; says why not.
fn has_containers() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "--pid", "--net", "--fork", "true"])
        .output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("skipped: no containers here: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            eprintln!("skipped: `unshare` cannot be run: {error}");
            false
        }
    }
}
