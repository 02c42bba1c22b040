//! The two tools: what they are called, what they take, and how a call is run. One file per tool, plus its line here.
//!
//! What the agent does wrong comes back as text. An error of this module always means that the sandbox failed.

mod bash;
mod observation;
mod refusal;
mod registry;
mod str_replace;

pub(crate) use observation::shorten;
pub(crate) use refusal::refusal;
pub use registry::{Tool, names, parse};

use basis_sandbox::{Sandbox, SandboxError};

use super::AgentLimits;
use crate::episode::{Observation, ToolCall};

/// All tools, in the order in which they are shown to models.
pub const ALL: [&Tool; 2] = [&bash::TOOL, &str_replace::TOOL];

/// What models that take a system message are told beside the tools.
pub const SYSTEM: &str = "You work in the repository at /repo, without network, using the two tools. \
                          Answer without a tool call when you are done: that ends the work.";

/// Runs one call.
///
/// # Errors
/// When the sandbox failed; a call that cannot be carried out is an observation.
pub fn run(call: &ToolCall, sandbox: &mut dyn Sandbox, limits: &AgentLimits) -> Result<Observation, SandboxError> {
    match call {
        ToolCall::Bash { command } => bash::run(command, sandbox, limits),
        ToolCall::StrReplace { path, old, new } => str_replace::run(path, old, new, sandbox, limits),
    }
}
