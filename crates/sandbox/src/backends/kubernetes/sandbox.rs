//! The controller's handle of one pod.

use std::sync::Arc;
use std::time::Duration;

use kube::api::DeleteParams;
use tokio::sync::{oneshot, watch};

use super::backend::Shared;
use super::changes::Time;
use super::connection::Connection;
use super::failure::{explain, is_missing, retrying};
use super::stream::{Event, Events, Input};
use super::tree::Tree;
use super::watch::Seen;
use super::{cause, changes, command, files, script, stream};
use crate::{Change, Command, Interrupter, Output, Sandbox, SandboxError, SandboxSpec, Sink};

/// How long a pod may take to be gone.
const DEATH: Duration = Duration::from_secs(60);
/// How long PID 1 may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the container of the agent may take to end.
const FREEZE: Duration = Duration::from_secs(20);

/// A sandbox of this backend.
pub(super) struct KubernetesSandbox {
    shared: Arc<Shared>,
    connection: Connection,
    spec: SandboxSpec,
    /// What was copied in, and when that was done.
    tree: Arc<Tree>,
    copied: Time,
    state: State,
    /// While this is held, the keeper takes the controller to be alive.
    lease: Option<oneshot::Sender<()>>,
    /// Counts how often the command that runs was to be interrupted.
    interrupts: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Frozen,
    Destroyed,
}

impl KubernetesSandbox {
    /// A handle of a pod that was asked for. From here on, dropping it removes the pod.
    pub(super) fn new(shared: Arc<Shared>, connection: Connection, spec: &SandboxSpec, tree: Arc<Tree>) -> Self {
        let interrupts = watch::Sender::new(0);
        let spec = spec.clone();
        Self { shared, connection, spec, tree, copied: (0, 0), state: State::Live, lease: None, interrupts }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The files are there: what changes from now on is the agent's doing.
    pub(super) fn begin(&mut self, copied: Time, lease: Lease) {
        self.copied = copied;
        let (held, released) = oneshot::channel();
        self.lease = Some(held);
        self.shared.cluster.spawn(lease.hold(released));
    }

    fn live(&self) -> Result<(), SandboxError> {
        match self.state {
            State::Live => Ok(()),
            State::Frozen => Err(SandboxError::Lost("it is frozen; nothing runs in it any more".into())),
            State::Destroyed => Err(destroyed()),
        }
    }

    fn there(&self) -> Result<(), SandboxError> {
        if self.state == State::Destroyed { Err(destroyed()) } else { Ok(()) }
    }

    /// Where mounts hide what is below the working directory.
    fn hidden(&self) -> Vec<String> {
        let below = |target: &str| target.strip_prefix(&self.spec.workdir)?.strip_prefix('/').map(str::to_owned);
        self.spec.mounts.iter().filter_map(|mount| below(&mount.target)).collect()
    }

    /// Lets PID 1 of the agent's container end, and with it everything in there; the API server must say that it did.
    async fn stop_agent(&self) -> Result<(), SandboxError> {
        let connection = &self.connection;
        connection.in_keeper(script::STOP, &[]).await?;
        let ended = connection.pods.until(&connection.name, |seen| cause::agent_ended(seen).then(|| seen.clone()));
        let killed = async {
            loop {
                // PID 1 waits for a process that may have been stopped.
                tokio::time::sleep(PATIENCE).await;
                let _ = connection.in_agent(command::KILL_ALL).await;
            }
        };
        let outcome = tokio::time::timeout(FREEZE, async {
            tokio::select! {
                seen = ended => seen,
                never = killed => never,
            }
        });
        match outcome.await {
            Ok(Seen::There(_)) => Ok(()),
            Ok(gone) => Err(SandboxError::Lost(cause::lost(&gone).unwrap_or_else(|| "its pod is gone".into()))),
            Err(_) => Err(SandboxError::Lost("its processes did not die".into())),
        }
    }

    /// Removes the pod and waits until the node says that nothing of it runs.
    async fn remove(&self) -> Result<(), SandboxError> {
        let (pods, name) = (self.shared.cluster.pods(), &self.connection.name);
        let parameters = DeleteParams::default().grace_period(1);
        match retrying(|| pods.delete(name, &parameters)).await {
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(explain("delete pods", self.shared.cluster.namespace(), &error)),
            Ok(_) => {}
        }
        let gone = self.connection.pods.until(name, |seen| matches!(seen, Seen::Gone(_)).then_some(()));
        tokio::time::timeout(DEATH, gone).await.map_err(|_| {
            SandboxError::Lost(format!("pod `{name}` was deleted, but its node does not say that it is gone"))
        })
    }
}

/// A program in the keeper, which ends the pod when it loses us.
pub(super) struct Lease(Input, Events);

impl Lease {
    pub(super) async fn begin(connection: &Connection) -> Result<Self, SandboxError> {
        let argv = script::shell_from_input(script::LEASE.len(), "lease");
        let started = stream::start(&connection.client, &connection.keeper, &argv).await;
        let (mut input, events) = started.map_err(|error| stream::lost(&connection.keeper, &error))?;
        input.send(script::LEASE.as_bytes()).await.map_err(|error| SandboxError::Lost(error.to_string()))?;
        Ok(Self(input, events))
    }

    async fn hold(mut self, released: oneshot::Receiver<()>) {
        let over = async { while let Event::Stdout(_) | Event::Stderr(_) = self.1.next().await {} };
        tokio::select! {
            _ = released => {}
            () = self.0.keep() => {}
            () = over => {}
        }
        // The end of the connection says the same.
        let _ = self.0.close().await;
    }
}

fn destroyed() -> SandboxError {
    SandboxError::Lost("it was destroyed".into())
}

impl Sandbox for KubernetesSandbox {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        self.exec_streaming(command, &mut |_, _| {})
    }

    fn exec_streaming(&mut self, command: &Command, sink: Sink<'_>) -> Result<Output, SandboxError> {
        self.live()?;
        let interrupts = self.interrupts.subscribe();
        self.shared.cluster.wait(async {
            match command::run(&self.connection, &self.spec, command, interrupts, sink).await {
                Err(SandboxError::Lost(reason)) => Err(self.connection.lost(reason).await),
                other => other,
            }
        })
    }

    fn interrupter(&self) -> Result<Interrupter, SandboxError> {
        let interrupts = self.interrupts.clone();
        Ok(Interrupter::new(move || {
            interrupts.send_modify(|count| *count += 1);
            Ok(())
        }))
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        self.there()?;
        self.shared.cluster.wait(files::read(&self.connection, path, max_bytes))
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        self.live()?;
        self.shared.cluster.wait(files::write(&self.connection, path, bytes))
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        self.there()?;
        if self.state == State::Live {
            self.shared.cluster.wait(self.stop_agent())?;
            self.state = State::Frozen;
        }
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        self.there()?;
        self.shared.cluster.wait(changes::list(&self.connection, &self.tree, self.copied, &self.hidden()))
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        if self.state == State::Destroyed {
            return Ok(());
        }
        self.lease = None;
        self.shared.cluster.wait(self.remove())?;
        self.connection.pods.forget(&self.connection.name);
        self.state = State::Destroyed;
        Ok(())
    }
}

impl Drop for KubernetesSandbox {
    fn drop(&mut self) {
        // A pod that survives this ends with its lease, or with the object of the run.
        let _ = self.destroy();
    }
}
