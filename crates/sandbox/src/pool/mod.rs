//! A backend in front of another one, for many callers at once: it never promises more than the machine has, and has sandboxes
//! ready that will be asked for.
//!
//! *Admission.* A sandbox is created when there is room for all the memory that it may use; a command starts when one of the
//! machine's turns is free. Whoever cannot be served waits, and is served in the order of asking. While the kernel says that
//! processes wait for memory, creating waits for half a minute if something else lives.
//! *Warm sandboxes.* Where creating takes long (a container, a pod), one that was asked for more than once is made ahead. It
//! is untouched until it is handed out, so that nobody can tell it from a new one.
//!
//! Not covered: what sandboxes of other processes use.

mod budget;
mod capacity;
mod lent;
mod warm;

use std::sync::Arc;
use std::time::Duration;

pub use capacity::Capacity;

use budget::Budget;
use lent::Lent;
use warm::Warm;

use crate::{Backend, Enforcement, Sandbox, SandboxError, SandboxSpec};

/// How long somebody may wait for room. Longer than any episode; shorter than forever, should somebody wait for himself.
const PATIENCE: Duration = Duration::from_secs(3600);

/// See the module. Sandboxes live on when it is dropped.
pub struct Pool {
    backend: Arc<dyn Backend>,
    rooms: Rooms,
    warm: Warm,
}

/// What the machine has to give.
#[derive(Clone)]
struct Rooms {
    memory: Arc<Budget>,
    commands: Arc<Budget>,
}

impl Pool {
    /// A pool of sandboxes of `backend` that uses at most `capacity`.
    pub fn new(backend: Arc<dyn Backend>, capacity: &Capacity) -> Self {
        let rooms = Rooms {
            memory: Budget::new(capacity.memory_bytes),
            commands: Budget::new(capacity.commands.max(1) as u64),
        };
        let warm = Warm::new(backend.clone(), rooms.memory.clone(), capacity);
        Self { backend, rooms, warm }
    }
}

impl Backend for Pool {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn enforcement(&self) -> Vec<Enforcement> {
        self.backend.enforcement()
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        let room = self.rooms.memory(spec.limits.memory_bytes, PATIENCE)?;
        capacity::wait_for_pressure_to_fall(|| self.rooms.memory.is_lent_beside(&room));
        let sandbox = match self.warm.take(spec) {
            Some(sandbox) => sandbox,
            None => self.warm.create(spec)?,
        };
        Ok(Box::new(Lent::new(sandbox, room, self.rooms.clone())))
    }
}

impl Rooms {
    /// Waits until there is room for so many bytes.
    fn memory(&self, bytes: u64, patience: Duration) -> Result<budget::Share, SandboxError> {
        if bytes > self.memory.total() {
            let [asked, total] = [bytes, self.memory.total()].map(|bytes| bytes >> 20);
            let reason = format!(
                "it may use {asked} MiB, and there are only {total} MiB for all sandboxes; lower its limit of memory"
            );
            return Err(SandboxError::Spec { path: "limits".into(), reason });
        }
        let full = || {
            SandboxError::Lost(format!(
                "no room for it within {} s: all memory is promised to others",
                patience.as_secs()
            ))
        };
        self.memory.take(bytes, patience).ok_or_else(full)
    }
}

#[cfg(test)]
mod tests;
