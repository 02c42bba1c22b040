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

// The conformance suite.
#[allow(dead_code, reason = "shared with the conformance suite")]
#[path = "../conformance/again.rs"]
mod again;
#[allow(dead_code, reason = "shared with the conformance suite")]
#[path = "../conformance/columns.rs"]
mod columns;
#[path = "../conformance/commands.rs"]
mod commands;
#[path = "../conformance/copies.rs"]
mod copies;
#[path = "../conformance/crowded.rs"]
mod crowded;
#[path = "../conformance/differences.rs"]
mod differences;
#[allow(dead_code, reason = "shared with the conformance suite")]
#[path = "../conformance/fixture.rs"]
mod fixture;
#[path = "../conformance/interrupts.rs"]
mod interrupts;
#[path = "../conformance/isolation.rs"]
mod isolation;
#[path = "../conformance/leftovers.rs"]
mod leftovers;
#[path = "../conformance/lifetime.rs"]
mod lifetime;
#[path = "../conformance/limits.rs"]
mod limits;
#[path = "../conformance/list.rs"]
mod list;
#[path = "../conformance/paths.rs"]
mod paths;
#[path = "../conformance/programs.rs"]
mod programs;
#[path = "../conformance/shells.rs"]
mod shells;
#[path = "../conformance/sizes.rs"]
mod sizes;
#[path = "../conformance/specification.rs"]
mod specification;
#[path = "../conformance/verdicts.rs"]
mod verdicts;

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
