//! Ends a running command from another thread.

use std::sync::Arc;

use crate::SandboxError;

/// Ends what runs in one sandbox. May be used from any thread, and after the sandbox is gone.
#[derive(Clone)]
pub struct Interrupter(Arc<Interrupt>);

type Interrupt = dyn Fn() -> Result<(), SandboxError> + Send + Sync;

impl Interrupter {
    /// Wraps what a backend does to interrupt.
    pub fn new(interrupt: impl Fn() -> Result<(), SandboxError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(interrupt))
    }

    /// Interrupts the command or line that runs now, first as Ctrl-C does; what does not end within a second is killed.
    /// The outcome is [`crate::Outcome::Interrupted`]. Does nothing when nothing runs.
    ///
    /// # Errors
    /// [`SandboxError`] when the sandbox could not be told.
    pub fn interrupt(&self) -> Result<(), SandboxError> {
        (self.0)()
    }
}

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Interrupter")
    }
}
