//! What becomes of a sandbox when the cluster has other plans.

use std::time::Duration;

use basis_sandbox::{Outcome, SandboxError, Stream, backends};
use serde_json::json;

use crate::cluster::{Cluster, Effect, Fault, NAMESPACE};
use crate::fixture::{empty, layer, shell, spec, text};
use crate::{open, options, start};

fn lost<T: std::fmt::Debug>(result: Result<T, SandboxError>) -> String {
    match result {
        Err(SandboxError::Lost(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_that_does_not_exist_is_said_at_once_and_leaves_nothing() {
    let cluster = Cluster::start();
    let mut options = options(&cluster);
    options.kubernetes.image = "registry.example/missing:9".into();
    let backend = backends::open_with("kubernetes", &options).expect("opened");
    let layer = layer(&[]);
    match backend.create(&spec(&[&layer])).map(drop) {
        Err(SandboxError::Image { image, reason }) => {
            assert_eq!(image, "registry.example/missing:9");
            assert!(reason.contains("not found"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    cluster.eventually("pods", |pods| pods.is_empty());
}

#[test]
fn a_registry_that_is_busy_is_waited_for() {
    let Some(cluster) = start() else { return };
    let mut options = options(&cluster);
    options.kubernetes.image = "registry.example/busy:1".into();
    let backend = backends::open_with("kubernetes", &options).expect("opened");
    let (_layer, mut sandbox) = empty(backend.as_ref());
    assert_eq!(text(sandbox.as_mut(), "echo there"), "there\n");
}

#[test]
fn a_pod_without_room_says_why_when_time_is_up() {
    let cluster = Cluster::start();
    cluster.state.node.full.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut options = options(&cluster);
    options.kubernetes.start = Duration::from_millis(500);
    let backend = backends::open_with("kubernetes", &options).expect("opened");
    let layer = layer(&[]);
    let error = backend.create(&spec(&[&layer])).map(drop).expect_err("refused").to_string();
    assert!(error.contains("Unschedulable: 0/1 nodes are available"), "{error}");
    cluster.eventually("pods", |pods| pods.is_empty());
}

#[test]
fn a_quota_and_a_role_that_refuse_pods_are_named() {
    let cluster = Cluster::start();
    let backend = open(&cluster);
    let layer = layer(&[]);
    let refusal = || backend.create(&spec(&[&layer])).map(drop).expect_err("refused").to_string();
    cluster.state.store.lock().expect("not poisoned").quota = Some(0);
    assert!(refusal().contains("the quota of namespace `basis` is used up"), "{}", refusal());
    cluster.state.store.lock().expect("not poisoned").quota = None;
    cluster.state.store.lock().expect("not poisoned").forbidden = vec!["create pods"];
    assert!(refusal().contains("the credentials do not allow to create pods"), "{}", refusal());
    assert!(cluster.objects("pods").is_empty());
}

#[test]
fn a_network_that_nobody_cuts_off_is_noticed() {
    let Some(cluster) = start() else { return };
    cluster.state.node.isolated.store(false, std::sync::atomic::Ordering::Relaxed);
    let backend = open(&cluster);
    let layer = layer(&[]);
    let error = backend.create(&spec(&[&layer])).map(drop).expect_err("refused").to_string();
    assert!(error.contains("pods reach the network although a network policy forbids it"), "{error}");
    cluster.eventually("pods", |pods| pods.is_empty());
}

#[test]
fn a_lost_answer_does_not_make_a_second_pod() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    cluster.fault(Fault { method: "POST", address: "pods", effect: Effect::Lost });
    cluster.fault(Fault::answer("GET", "exec", 429, "TooManyRequests", "try later"));
    let (_layer, mut sandbox) = empty(backend.as_ref());
    assert_eq!(cluster.objects("pods").len(), 1);
    assert_eq!(text(sandbox.as_mut(), "echo there"), "there\n");
}

#[test]
fn an_evicted_pod_is_a_lost_sandbox_with_the_reason() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    let pod = cluster.pod();
    cluster.state.change(|store| {
        store.update("pods", NAMESPACE, &pod, |pod| {
            pod["status"]["phase"] = json!("Failed");
            pod["status"]["reason"] = json!("Evicted");
            pod["status"]["message"] = json!("The node was low on resource: memory.");
        });
    });
    cluster.state.node.kill(&pod);
    assert_eq!(lost(sandbox.exec(&shell("true"))), "its pod was evicted: The node was low on resource: memory.");
    assert!(lost(sandbox.read("file", 10)).contains("evicted"));
    sandbox.destroy().expect("destroyed all the same");
}

#[test]
fn a_preempted_pod_and_a_deleted_one_are_told_apart_while_a_command_runs() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    for preempted in [true, false] {
        let (_layer, mut sandbox) = empty(backend.as_ref());
        let pod = cluster.pod();
        let reason = std::thread::scope(|scope| {
            let running = scope.spawn(|| lost(sandbox.exec(&shell("echo up > up; sleep 50"))));
            std::thread::sleep(Duration::from_millis(300));
            cluster
                .state
                .change(|store| {
                    store.update("pods", NAMESPACE, &pod, |pod| {
                        if preempted {
                            pod["status"]["conditions"] = json!([{ "type": "DisruptionTarget", "status": "True",
                            "reason": "PreemptionByScheduler", "message": "a pod with a higher priority" }]);
                        }
                    });
                    store.delete("pods", NAMESPACE, &pod, 1)
                })
                .expect("deleted");
            running.join().expect("ended")
        });
        let expected = if preempted { "its pod was preempted" } else { "its pod" };
        assert!(reason.starts_with(expected) && reason.contains("preempted") == preempted, "{reason}");
        drop(sandbox);
        cluster.eventually("pods", |pods| pods.is_empty());
    }
}

#[test]
fn a_container_that_memory_ran_out_for_is_an_outcome_and_then_a_lost_sandbox() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    let pod = cluster.pod();
    let mut sink = |_: Stream, _: &[u8]| cluster.state.node.out_of_memory(&pod, "agent");
    let outcome = sandbox.exec_streaming(&shell("echo before; sleep 50"), &mut sink).expect("ran");
    assert_eq!((outcome.outcome, outcome.stdout.text().as_str()), (Outcome::OutOfMemory, "before\n"));
    assert!(lost(sandbox.exec(&shell("true"))).contains("OOMKilled"));
}

#[test]
fn a_pod_ends_with_its_lease() {
    let Some(cluster) = start() else { return };
    let mut options = options(&cluster);
    options.kubernetes.lease = Duration::from_secs(15);
    let backend = backends::open_with("kubernetes", &options).expect("opened");
    let (_layer, mut sandbox) = empty(backend.as_ref());
    cluster.eventually("pods", |pods| pods[0]["status"]["reason"] == "DeadlineExceeded");
    assert!(lost(sandbox.exec(&shell("true"))).contains("lease"));
}

#[test]
fn a_connection_that_breaks_is_a_lost_sandbox_and_the_pod_ends() {
    let Some(cluster) = start() else { return };
    let backend = open(&cluster);
    let (_layer, mut sandbox) = empty(backend.as_ref());
    let mut sink = |_: Stream, _: &[u8]| cluster.state.broken.send_modify(|count| *count += 1);
    let reason = lost(sandbox.exec_streaming(&shell("echo begun; sleep 50"), &mut sink));
    assert!(!reason.is_empty());
    cluster.eventually("pods", |pods| pods.iter().all(|pod| pod["status"]["phase"] != "Running"));
    sandbox.destroy().expect("destroyed");
}
