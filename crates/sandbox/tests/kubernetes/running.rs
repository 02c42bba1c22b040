//! How many pods there are, how they are watched, and who removes them.

use std::time::{Duration, Instant};

use basis_sandbox::{Command, Outcome, Stream, backends};
use serde_json::json;

use crate::cluster::{Cluster, NAMESPACE};
use crate::fixture::{empty, layer, limited, run, shell, spec, text};
use crate::{open, options, start};

#[test]
fn one_watch_serves_all_pods_and_begins_again_when_it_is_too_old() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_one, mut first) = empty(backend.as_ref());
    let (_other, mut second) = empty(backend.as_ref());
    assert_eq!(cluster.state.store.lock().expect("not poisoned").watches, 1);
    // The server forgets, and breaks every connection: the leases too, so that these two end.
    cluster.state.store.lock().expect("not poisoned").compact();
    cluster.state.broken.send_modify(|count| *count += 1);
    cluster.eventually("pods", |pods| pods.iter().all(|pod| pod["status"]["phase"] != "Running"));
    assert!(first.exec(&shell("true")).is_err() && second.exec(&shell("true")).is_err());
    let (_third, mut third) = empty(backend.as_ref());
    assert_eq!(text(third.as_mut(), "echo anew"), "anew\n");
    assert!(cluster.state.store.lock().expect("not poisoned").watches > 1);
}

#[test]
fn pods_are_started_no_faster_than_allowed() {
    let cluster = Cluster::start();
    let mut options = options(&cluster);
    options.kubernetes.image = "registry.example/missing:1".into();
    options.kubernetes.starts_per_second = 4.0;
    let backend = backends::open_with("kubernetes", &options).expect("opened");
    let layer = layer(&[]);
    let start = Instant::now();
    for _ in 0..4 {
        assert!(backend.create(&spec(&[&layer])).is_err());
    }
    assert!(start.elapsed() >= Duration::from_millis(750));
}

#[test]
fn everything_is_gone_when_the_backend_is() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    drop(backend);
    assert_eq!(text(sandbox.as_mut(), "echo lives on"), "lives on\n");
    drop(sandbox);
    assert!(cluster.objects("pods").is_empty());
    assert!(cluster.objects("configmaps").is_empty());
}

#[test]
fn pods_go_with_the_object_of_their_run() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let all: Vec<_> = (0..3).map(|_| empty(backend.as_ref())).collect();
    let map = cluster.objects("configmaps")[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    cluster.state.change(|store| store.remove("configmaps", NAMESPACE, &map));
    cluster.eventually("pods", |pods| pods.is_empty());
    drop(all);
}

#[test]
fn a_pod_of_someone_else_is_nobodys_business() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, sandbox) = empty(backend.as_ref());
    let pod = json!({ "metadata": { "name": "other", "labels": { "app": "else" } }, "spec": { "containers": [{ "image": "none" }] } });
    cluster.state.change(|store| store.create("pods", NAMESPACE, pod)).expect("made");
    drop((sandbox, backend));
    assert_eq!(cluster.objects("pods").len(), 1);
}

#[test]
fn what_runs_has_a_user_of_its_own_and_neither_token_nor_rights() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    let pod = cluster.objects("pods")[0].clone();
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    assert!(pod["spec"]["securityContext"]["runAsUser"].as_u64().expect("a number") >= 100_000);
    assert!(!run(sandbox.as_mut(), "ls /var/run/secrets").outcome.success());
    assert!(!run(sandbox.as_mut(), "ls /basis/control").outcome.success());
    assert!(!run(sandbox.as_mut(), "touch /basis/stopped || rm /basis/stop").outcome.success());
}

#[test]
fn nothing_inside_ends_the_container_or_keeps_it_from_ending() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    run(sandbox.as_mut(), "echo kept > file; echo x > /basis/stop; kill -9 -1");
    run(sandbox.as_mut(), "kill -9 1; kill -TERM 1; kill -SEGV 1; kill -INT 1; kill -STOP 1");
    run(sandbox.as_mut(), "kill -STOP $(grep -lx cat /proc/[0-9]*/comm | cut -d/ -f3)");
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
    sandbox.freeze().expect("frozen");
    assert_eq!(sandbox.read("file", 10).expect("read"), b"kept\n");
    assert_eq!(sandbox.changes().expect("listed").len(), 1);
    assert!(sandbox.exec(&shell("true")).is_err());
}

#[test]
fn a_command_can_be_interrupted_and_heard_while_it_runs() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    let interrupter = sandbox.interrupter().expect("made");
    let script = "trap 'echo caught; exit 3' INT; echo begun; while :; do sleep 0.05; done";
    let mut heard = String::new();
    let mut sink = |_: Stream, piece: &[u8]| {
        heard.push_str(&String::from_utf8_lossy(piece));
        if heard == "begun\n" {
            interrupter.interrupt().expect("told");
        }
    };
    let output = sandbox.exec_streaming(&shell(script), &mut sink).expect("ran");
    assert_eq!((output.outcome, heard.as_str()), (Outcome::Interrupted, "begun\ncaught\n"));
    interrupter.interrupt().expect("nothing runs");
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}

#[test]
fn processes_are_limited_by_the_user_of_the_pod() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = limited(backend.as_ref(), |limits| limits.processes = 20);
    let greedy = "echo start; for i in $(seq 100); do sleep 60 & echo one more; done";
    let output = sandbox.exec(&Command::new(["dash", "-c", greedy])).expect("ran");
    let started = output.stdout.text().lines().count();
    assert!(!output.outcome.success() && started < 40, "{started} processes");
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}
