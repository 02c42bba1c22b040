//! What refusals of a cluster mean to people, and which of them pass by themselves.

use std::error::Error as _;
use std::time::Duration;

use kube::core::Status;

use crate::SandboxError;

/// The name of this backend.
pub(super) const NAME: &str = "kubernetes";
/// How often a call is made that the cluster was too busy to answer, and the pause after the first time.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);
/// A cluster may ask for a longer pause, but not for any pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The cluster cannot be used, for this reason.
pub(super) fn unavailable(reason: impl Into<String>) -> SandboxError {
    SandboxError::Unavailable { backend: NAME, reason: reason.into() }
}

/// What a failed call means; `what` says what was asked for, to follow `cannot`.
pub(super) fn explain(what: &str, namespace: &str, error: &kube::Error) -> SandboxError {
    match error {
        kube::Error::Api(status) => unavailable(refusal(what, namespace, status)),
        kube::Error::Auth(_) => unavailable(format!(
            "the credentials of the kubeconfig cannot be used: {}; log in to the cluster again",
            chain(error)
        )),
        kube::Error::HyperError(_) | kube::Error::Service(_) => unavailable(format!(
            "the cluster does not answer ({}); check its address in the kubeconfig and that it is up: `kubectl version`",
            chain(error)
        )),
        _ => unavailable(format!("cannot {what}: {}", chain(error))),
    }
}

fn refusal(what: &str, namespace: &str, status: &Status) -> String {
    let message = &status.message;
    let guide = "see docs/guides/kubernetes.md";
    match status.code {
        401 => "the cluster does not accept the credentials; log in again, or name another context in \
                `sandbox.kubernetes.context`"
            .into(),
        403 if message.contains("exceeded quota") => format!(
            "the quota of namespace `{namespace}` is used up ({message}); raise the quota, or lower `run.workers` or the \
             limits of sandboxes"
        ),
        403 => format!("the credentials do not allow to {what} ({message}); {guide} for the role that is needed"),
        404 if message.contains("namespaces") => {
            format!(
                "namespace `{namespace}` does not exist; {guide}, or name another one in `sandbox.kubernetes.namespace`"
            )
        }
        400 | 422 => format!("the cluster refuses to {what}: {message}"),
        429 | 500.. => format!("the cluster is too busy to {what} ({} {message}); try again later", status.code),
        _ => format!("cannot {what}: {message}"),
    }
}

/// An error with its causes.
pub(super) fn chain(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Whether there is no such object, or no longer.
pub(super) fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether an object was changed, or made, by someone else meanwhile.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Makes a call again while the cluster is too busy for it or cannot be reached.
pub(super) async fn retrying<T, C, F>(mut call: C) -> kube::Result<T>
where
    C: FnMut() -> F,
    F: Future<Output = kube::Result<T>>,
{
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(error) if passes(&error) => {
                tokio::time::sleep(asked_pause(&error).unwrap_or(pause).min(LONGEST_PAUSE)).await;
                pause *= 2;
            }
            other => return other,
        }
    }
    call().await
}

fn passes(error: &kube::Error) -> bool {
    match error {
        // A container that has ended stays ended.
        kube::Error::Api(status) if status.message.contains("container not found") => false,
        kube::Error::Api(status) => matches!(status.code, 429 | 500 | 502..=504),
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

fn asked_pause(error: &kube::Error) -> Option<Duration> {
    let kube::Error::Api(status) = error else { return None };
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}
