//! What rollouts need of a pack.

use basis_sandbox::Sandbox;

use crate::agent::AgentLimits;
use crate::episode::{Grade, InvalidCause, Submission};
use crate::task::Task;

/// Opens sandboxes for agents and grades what they hand in.
pub trait World: Send + Sync {
    /// A fresh sandbox with the task's tree and nothing of its hidden part.
    ///
    /// # Errors
    /// The boundary that failed.
    fn sandbox(&self, task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause>;

    /// Judges a submission, in fresh sandboxes where it has to run anything.
    fn grade(&self, task: &Task, submission: &Submission) -> Grade;

    /// What one episode may use.
    fn limits(&self) -> AgentLimits {
        AgentLimits::default()
    }
}
