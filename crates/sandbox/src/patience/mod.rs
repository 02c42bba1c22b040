//! A backend in front of another one that gives up what does not answer.
//!
//! A box may hang where nothing can be killed: in the kernel, in an engine of containers, on the way to a cluster. Each sandbox
//! is used by a thread of its own; whoever asks it waits for as long as the operation may take and some time more, and is then
//! told that the sandbox is lost. The thread stays behind until the sandbox answers, and destroys it then.
//!
//! Stands behind a [`Pool`](crate::pool::Pool): waiting for room is no silence.

mod held;

use std::sync::Arc;
use std::time::Duration;

use held::Held;

use crate::{Backend, Enforcement, Sandbox, SandboxError, SandboxSpec};

/// See the module.
pub struct Patient {
    backend: Arc<dyn Backend>,
    patience: Duration,
}

impl Patient {
    /// Sandboxes of `backend`, which are lost when they stay silent for `patience` longer than an operation may take.
    pub fn new(backend: Arc<dyn Backend>, patience: Duration) -> Self {
        Self { backend, patience }
    }
}

impl Backend for Patient {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        self.backend.enforcement()
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        let (backend, wanted) = (self.backend.clone(), spec.clone());
        let held = Held::start(self.patience, spec.limits.wall, move || backend.create(&wanted))?;
        Ok(Box::new(held))
    }
}

#[cfg(test)]
mod tests;
