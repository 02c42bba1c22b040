//! What rollouts need of a pack.

use std::time::Duration;

use basis_sandbox::{Mount, Sandbox};

use crate::agent::AgentLimits;
use crate::episode::{Grade, InvalidCause, Submission};
use crate::task::Task;

/// What a program that acts needs of its sandbox beside the tree of the task.
#[derive(Debug, Clone, Default)]
pub struct Provision {
    /// Directories of the host.
    pub mounts: Vec<Mount>,
    /// Wall time of a command, if it is another one than that of the world.
    pub wall: Option<Duration>,
}

/// Opens sandboxes for agents and grades what they hand in.
pub trait World: Send + Sync {
    /// A fresh sandbox with the task's tree and nothing of its hidden part.
    ///
    /// # Errors
    /// The boundary that failed.
    fn sandbox<'s>(&'s self, task: &Task) -> Result<Box<dyn Sandbox + 's>, InvalidCause>;

    /// The same for a program of somebody else.
    ///
    /// # Errors
    /// As [`World::sandbox`].
    fn sandbox_for_program(&self, task: &Task, provision: &Provision) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let _ = (task, provision);
        Err(InvalidCause::Sandbox("programs of others cannot act in this world".to_owned()))
    }

    /// Judges a submission, in fresh sandboxes where it has to run anything.
    fn grade(&self, task: &Task, submission: &Submission) -> Grade;

    /// What one episode may use.
    fn limits(&self) -> AgentLimits {
        AgentLimits::default()
    }
}
