//! One pod, and how programs of ours are run in it.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use super::stream::{self, Finished, Place};
use super::watch::{Pods, Seen};
use super::{cause, script};
use crate::SandboxError;

/// How long the cluster may take to say what became of a pod that does not answer.
const NEWS: Duration = Duration::from_secs(5);

/// What is needed to reach a pod.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) agent: Place,
    pub(super) keeper: Place,
    pub(super) pods: Arc<Pods>,
}

impl Connection {
    pub(super) fn new(client: Client, namespace: &str, name: &str, pods: Arc<Pods>) -> Self {
        let place = |container| Place { namespace: namespace.into(), pod: name.into(), container };
        Self { client, name: name.into(), agent: place(cause::AGENT), keeper: place(cause::KEEPER), pods }
    }

    /// Runs shell text in the container of the agent, beside what runs there.
    pub(super) async fn in_agent(&self, text: &str) -> Result<Finished, SandboxError> {
        let argv = script::without_environment(["sh", "-c", text].map(str::to_owned));
        stream::run(&self.client, &self.agent, &argv, &[]).await
    }

    /// Runs shell text in the container that has the files.
    pub(super) async fn in_keeper(&self, text: &str, stdin: &[u8]) -> Result<Finished, SandboxError> {
        let argv = script::shell_from_input(text.len(), "keeper");
        let input = [text.as_bytes(), stdin].concat();
        match stream::run(&self.client, &self.keeper, &argv, &input).await {
            Err(SandboxError::Lost(reason)) => Err(self.lost(reason).await),
            other => other,
        }
    }

    /// The sandbox does not answer: says why, if the cluster knows.
    pub(super) async fn lost(&self, reason: String) -> SandboxError {
        let seen = self.verdict(|seen| cause::lost(seen).is_some()).await;
        SandboxError::Lost(seen.as_ref().and_then(cause::lost).unwrap_or(reason))
    }

    /// What is known of the pod once `judge` is content, if that is soon.
    pub(super) async fn verdict(&self, judge: impl Fn(&Seen) -> bool) -> Option<Seen> {
        let known = self.pods.until(&self.name, |seen| judge(seen).then(|| seen.clone()));
        tokio::time::timeout(NEWS, known).await.ok()
    }
}
