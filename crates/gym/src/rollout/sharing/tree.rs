//! What episodes asked of their sandboxes, and what came of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use basis_sandbox::{Change, Command, Output, Sandbox, SandboxError};

/// Something that is asked of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Execute(Box<Execution>),
    Read { path: String, max_bytes: u64 },
    Write { path: String, bytes: Arc<[u8]> },
    Freeze,
    Changes,
}

/// A command, as something that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Execution {
    argv: Vec<String>,
    stdin: Vec<u8>,
    env: Vec<(String, String)>,
    cwd: Option<String>,
    wall: Option<Duration>,
    report: bool,
}

/// What came of an operation.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Output(Box<Output>),
    Bytes(Vec<u8>),
    Nothing,
    Changes(Vec<Change>),
    Refusal(Refusal),
}

/// A failure that says something about the files, and so comes again.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    NotFound(String),
    NotRegular(String),
    TooLarge { path: String, size: u64, max: u64 },
    Spec { path: PathBuf, reason: String },
}

impl From<&Command> for Operation {
    fn from(command: &Command) -> Self {
        let Command { argv, stdin, env, cwd, wall, report } = command.clone();
        Self::Execute(Box::new(Execution { argv, stdin, env: env.into_iter().collect(), cwd, wall, report }))
    }
}

impl Operation {
    /// Carries it out.
    ///
    /// # Errors
    /// What says nothing about the files.
    pub(super) fn run(&self, sandbox: &mut dyn Sandbox) -> Result<Answer, SandboxError> {
        let answer = match self {
            Self::Execute(execution) => {
                let Execution { argv, stdin, env, cwd, wall, report } = (**execution).clone();
                let command = Command { argv, stdin, env: env.into_iter().collect(), cwd, wall, report };
                sandbox.exec(&command).map(|output| Answer::Output(Box::new(output)))
            }
            Self::Read { path, max_bytes } => sandbox.read(path, *max_bytes).map(Answer::Bytes),
            Self::Write { path, bytes } => sandbox.write(path, bytes).map(|()| Answer::Nothing),
            Self::Freeze => sandbox.freeze().map(|()| Answer::Nothing),
            Self::Changes => sandbox.changes().map(Answer::Changes),
        };
        answer.or_else(|error| Refusal::of(error).map(Answer::Refusal))
    }
}

impl Refusal {
    fn of(error: SandboxError) -> Result<Self, SandboxError> {
        match error {
            SandboxError::NotFound(path) => Ok(Self::NotFound(path)),
            SandboxError::NotRegular(path) => Ok(Self::NotRegular(path)),
            SandboxError::TooLarge { path, size, max } => Ok(Self::TooLarge { path, size, max }),
            SandboxError::Spec { path, reason } => Ok(Self::Spec { path, reason }),
            error => Err(error),
        }
    }
}

impl From<Refusal> for SandboxError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(path) => Self::NotFound(path),
            Refusal::NotRegular(path) => Self::NotRegular(path),
            Refusal::TooLarge { path, size, max } => Self::TooLarge { path, size, max },
            Refusal::Spec { path, reason } => Self::Spec { path, reason },
        }
    }
}

/// Where episodes are that have done the same.
#[derive(Debug, Default)]
pub(super) struct Node {
    edges: Mutex<HashMap<Operation, Edge>>,
    changed: Condvar,
}

#[derive(Debug, Clone)]
enum Edge {
    /// Somebody carries it out.
    Running,
    /// What came of it, and where those are who did it.
    Shared(Answer, Arc<Node>),
    /// Whoever does it goes on alone.
    Alone,
}

/// What somebody finds who comes to an edge.
pub(super) enum Found<'a> {
    /// Nobody has done this; whoever gets this carries it out and says what came of it.
    New(Lead<'a>),
    Shared(Answer, Arc<Node>),
    Alone,
}

impl Node {
    /// What is known of `operation` here; waits while somebody carries it out, after calling `wait`.
    pub(super) fn find(&self, operation: &Operation, wait: &mut dyn FnMut()) -> Found<'_> {
        let mut edges = self.lock();
        loop {
            match edges.get(operation).cloned() {
                None => {
                    edges.insert(operation.clone(), Edge::Running);
                    return Found::New(Lead { node: self, operation: operation.clone() });
                }
                Some(Edge::Shared(answer, next)) => return Found::Shared(answer, next),
                Some(Edge::Alone) => return Found::Alone,
                Some(Edge::Running) => {
                    drop(edges);
                    wait();
                    edges = self.lock();
                    if matches!(edges.get(operation), Some(Edge::Running)) {
                        edges = self.changed.wait(edges).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        }
    }

    /// A panic elsewhere cannot leave the edges half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Operation, Edge>> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first one at an edge. Unless it says what came of it, whoever comes after it goes on alone.
pub(super) struct Lead<'a> {
    node: &'a Node,
    operation: Operation,
}

impl Lead<'_> {
    /// Shares what came of it.
    pub(super) fn share(self, answer: &Answer) -> Arc<Node> {
        let next = Arc::new(Node::default());
        self.node.lock().insert(self.operation.clone(), Edge::Shared(answer.clone(), next.clone()));
        next
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut edges = self.node.lock();
        if let Some(edge @ Edge::Running) = edges.get_mut(&self.operation) {
            *edge = Edge::Alone;
        }
        drop(edges);
        self.node.changed.notify_all();
    }
}
