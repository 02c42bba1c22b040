//! Programs of others as agents: one runs in the sandbox of a task, and what it says to a model goes through the gateway.
//!
//! Its only way out is a listener on the sandbox's loopback interface, which this process answers and nothing else reaches. A
//! session is that of one sandbox, whatever key or name the program sends. The program hands in as our own agent does: the files
//! that it changed, and a text. What it does wrong is an end of the episode; that the model or the sandbox failed is `Invalid`.

mod run;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::gateway::Upstream;

/// Where the program's files are inside.
pub const DIRECTORY: &str = "/agent";
/// The file in which a program may leave its answer.
pub const ANSWER: &str = "/tmp/basis-answer";

/// A program and what it may use.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramConfig {
    /// A line of bash; its standard input is the prompt of the task.
    pub command: String,
    /// Directory of this machine that is shown read-only at [`DIRECTORY`]; absolute.
    pub directory: Option<PathBuf>,
    /// Wall time of one episode.
    pub wall: Duration,
    /// The temperature of all turns; the model's own setting when `None`.
    pub temperature: Option<f32>,
}

/// See the module.
pub struct AgentProgram {
    config: ProgramConfig,
    upstream: Arc<dyn Upstream>,
}

impl AgentProgram {
    /// The program in front of a model.
    pub fn new(config: ProgramConfig, upstream: Arc<dyn Upstream>) -> Self {
        Self { config, upstream }
    }
}
