//! States of pods as servers report them, and what they mean.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

fn pod(status: Value) -> Seen {
    let pod = json!({ "metadata": { "name": "one" }, "status": status });
    Seen::There(Arc::new(serde_json::from_value(pod).expect("a pod")))
}

fn waiting(reason: &str, message: &str) -> Seen {
    let state = json!({ "waiting": { "reason": reason, "message": message } });
    pod(json!({
        "phase": "Pending",
        "containerStatuses": [{ "name": "agent", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state }],
    }))
}

fn both(agent: Value, keeper: Value) -> Seen {
    let container = |name: &str, state: Value| json!({ "name": name, "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state });
    pod(json!({ "phase": "Running", "containerStatuses": [container("agent", agent), container("keeper", keeper)] }))
}

#[test]
fn a_pod_runs_when_both_containers_do() {
    let (running, creating) = (json!({ "running": {} }), json!({ "waiting": { "reason": "ContainerCreating" } }));
    assert_eq!(start(&both(running.clone(), running.clone())), Start::Running);
    assert_eq!(start(&both(running, creating)), Start::Waiting(None));
    assert_eq!(start(&pod(json!({ "phase": "Pending" }))), Start::Waiting(None));
}

#[test]
fn an_image_that_cannot_be_pulled_is_its_own_cause() {
    let hopeless = |reason, message| match start(&waiting(reason, message)) {
        Start::Image { hopeless, .. } => hopeless,
        other => panic!("{other:?}"),
    };
    let missing =
        "failed to pull and unpack image \"r.example/x:1\": failed to resolve reference: r.example/x:1: not found";
    assert!(hopeless("ErrImagePull", missing));
    assert!(hopeless("ErrImagePull", "pull access denied, repository does not exist or may require authorization"));
    assert!(hopeless("InvalidImageName", "couldn't parse image name"));
    assert!(!hopeless("ErrImagePull", "unexpected status code 429 Too Many Requests"));
    assert!(!hopeless("ImagePullBackOff", "Back-off pulling image \"r.example/x:1\""));
}

#[test]
fn a_pod_that_does_not_fit_says_why() {
    let conditions = json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available" }]);
    let seen = pod(json!({ "phase": "Pending", "conditions": conditions }));
    assert_eq!(start(&seen), Start::Waiting(Some("Unschedulable: 0/3 nodes are available".into())));
}

#[test]
fn whatever_takes_a_pod_away_is_named() {
    let evicted =
        pod(json!({ "phase": "Failed", "reason": "Evicted", "message": "Usage of EmptyDir volume exceeds the limit" }));
    assert_eq!(lost(&evicted).expect("lost"), "its pod was evicted: Usage of EmptyDir volume exceeds the limit");
    let late = pod(
        json!({ "phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline" }),
    );
    assert_eq!(lost(&late).expect("lost"), "its lease (`sandbox.kubernetes.lease_seconds`) ran out");
    let conditions = json!([{ "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempting" }]);
    let preempted = pod(json!({ "phase": "Running", "conditions": conditions }));
    assert!(lost(&preempted).expect("lost").starts_with("its pod was preempted"));
    let Seen::There(gone) = pod(json!({ "phase": "Running" })) else { unreachable!() };
    assert_eq!(lost(&Seen::Gone(gone.clone())).expect("lost"), "its pod was deleted");
    assert_eq!(lost(&Seen::There(gone)), None);
}

#[test]
fn a_container_that_used_too_much_memory_is_told_from_one_that_ended() {
    let ended = |reason: &str, code: i32| {
        let state = json!({ "terminated": { "reason": reason, "exitCode": code } });
        both(state, json!({ "running": {} }))
    };
    assert!(out_of_memory(&ended("OOMKilled", 137)));
    assert!(!out_of_memory(&ended("Error", 137)));
    assert!(agent_ended(&ended("Completed", 0)));
    assert_eq!(lost(&ended("Error", 137)).expect("lost"), "its container `agent` ended (Error, status 137)");
}
