//! From what the cluster says of a pod to what became of the sandbox. Nothing is asked here.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

use super::watch::Seen;

/// The container that commands run in.
pub(super) const AGENT: &str = "agent";
/// The container that has the files.
pub(super) const KEEPER: &str = "keeper";

/// How a pod that is to run is doing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Its containers run.
    Running,
    /// It may still come to run; this is what it waits for, as far as the cluster says.
    Waiting(Option<String>),
    /// The image cannot be had; some registries change their mind.
    Image {
        /// What the node says.
        reason: String,
        /// Whether waiting is in vain.
        hopeless: bool,
    },
    /// It will never run.
    Failed(String),
}

/// Looks at a pod that is to run.
pub(super) fn start(seen: &Seen) -> Start {
    let pod = seen.pod();
    if let Some(reason) = lost(seen) {
        return Start::Failed(reason);
    }
    for container in containers(pod) {
        let Some(waiting) = container.state.as_ref().and_then(|state| state.waiting.as_ref()) else { continue };
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = waiting.message.as_deref().unwrap_or_default();
        let text = format!("{reason}: {message}");
        match reason {
            "InvalidImageName" | "ErrImageNeverPull" => return Start::Image { reason: text, hopeless: true },
            "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ImageInspectError" => {
                return Start::Image { hopeless: is_hopeless(message), reason: text };
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "StartError" => {
                return Start::Failed(text);
            }
            _ => {}
        }
    }
    let running = [AGENT, KEEPER].iter().all(|name| {
        let state = container(pod, name).and_then(|container| container.state.as_ref());
        state.is_some_and(|state| state.running.is_some())
    });
    if running { Start::Running } else { Start::Waiting(unscheduled(pod)) }
}

/// A registry that was busy may answer next time; one that knows no such image, or not this user, will not.
fn is_hopeless(message: &str) -> bool {
    let message = message.to_lowercase();
    let lasting =
        ["not found", "manifest unknown", "unauthorized", "denied", "forbidden", "invalid reference", "no match"];
    !message.contains("too many requests") && lasting.iter().any(|text| message.contains(text))
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let condition = condition(pod, "PodScheduled").filter(|(status, ..)| *status == "False");
    condition.map(|(_, reason, message)| format!("{reason}: {message}"))
}

/// Why the sandbox is lost, if it is: its pod was evicted, preempted, deleted, ran out of time, or lost its node.
pub(super) fn lost(seen: &Seen) -> Option<String> {
    let pod = seen.pod();
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
    let reason = status.and_then(|status| status.reason.as_deref()).unwrap_or_default();
    let message = status.and_then(|status| status.message.as_deref()).unwrap_or_default();
    if let Some(("True", reason, message)) = condition(pod, "DisruptionTarget") {
        let what = match reason {
            "PreemptionByScheduler" => "preempted by a pod with a higher priority",
            "DeletionByTaintManager" => "deleted because its node is not fit any more",
            "EvictionByEvictionAPI" => "evicted through the API, perhaps to empty its node",
            "DeletionByPodGC" => "deleted because its node is gone",
            "TerminationByKubelet" => "ended by its node, which ran out of something or shuts down",
            _ => "disrupted",
        };
        return Some(format!("its pod was {what} ({reason}: {message})"));
    }
    match (phase, reason) {
        ("Failed" | "Unknown", "Evicted") => return Some(format!("its pod was evicted: {message}")),
        ("Failed" | "Unknown", "DeadlineExceeded") => {
            return Some("its lease (`sandbox.kubernetes.lease_seconds`) ran out".into());
        }
        (_, "NodeLost") => return Some("its node does not answer any more".into()),
        ("Failed" | "Unknown", reason) if !reason.is_empty() => {
            return Some(format!("its pod failed ({reason}: {message})"));
        }
        _ => {}
    }
    match seen {
        Seen::Gone(_) => Some("its pod was deleted".into()),
        Seen::There(pod) if pod.metadata.deletion_timestamp.is_some() => Some("its pod is being deleted".into()),
        Seen::There(_) if phase == "Unknown" => Some("its node does not answer any more".into()),
        Seen::There(pod) => ended(pod, AGENT).or_else(|| ended(pod, KEEPER)),
    }
}

/// Whether the agent's container was ended because it used too much memory.
pub(super) fn out_of_memory(seen: &Seen) -> bool {
    terminated(seen.pod(), AGENT).is_some_and(|(reason, _)| reason == "OOMKilled")
}

/// Whether nothing runs in the agent's container any more, and never will.
pub(super) fn agent_ended(seen: &Seen) -> bool {
    matches!(seen, Seen::Gone(_)) || terminated(seen.pod(), AGENT).is_some()
}

fn ended(pod: &Pod, name: &str) -> Option<String> {
    let (reason, code) = terminated(pod, name)?;
    Some(format!("its container `{name}` ended ({reason}, status {code})"))
}

fn terminated<'a>(pod: &'a Pod, name: &str) -> Option<(&'a str, i32)> {
    let ContainerState { terminated: Some(terminated), .. } = container(pod, name)?.state.as_ref()? else {
        return None;
    };
    Some((terminated.reason.as_deref().unwrap_or("Unknown"), terminated.exit_code))
}

fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|container| container.name == name)
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| status.init_container_statuses.iter().chain(&status.container_statuses).flatten())
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| condition.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((&condition.status, text(&condition.reason), text(&condition.message)))
}

#[cfg(test)]
mod tests;
