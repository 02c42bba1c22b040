//! A task: what an agent is shown, where it works, and what only the grader knows.

use serde::{Deserialize, Serialize};

use crate::project::{Origin, TestSetup};
use crate::tree::TreeId;

/// Version of the task schema; a reader refuses newer ones and fills in what older ones lack.
pub const SCHEMA_VERSION: u32 = 1;

/// One task `τ = (k, x, c)` with its hidden part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Content hash of everything below: 16 hexadecimal digits.
    pub id: String,
    /// Schema version of this row.
    pub schema_version: u32,
    /// The skill or composite kind: `localize`, `edit`, `testgen`, `repro`, `review`, `bugfix`.
    pub skill: String,
    /// What the agent reads.
    pub prompt: String,
    /// Where it works.
    pub context: Context,
    /// What only the grader and the reference know; each skill has its own shape.
    pub hidden: serde_json::Value,
    /// Name and version of the grader; another version makes older verdicts void.
    pub grader: String,
    /// Where the project came from.
    pub origin: Origin,
    /// Name of the project.
    pub project: String,
    /// The bug record: tasks of one family never stand in two splits.
    pub family: String,
    /// Tasks that are centred together: the two review tasks of one issue. Empty when there are none.
    pub pair: String,
}

/// Where the agent works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The tree that the agent sees and may change.
    pub tree: TreeId,
    /// How tests of this project are run; makes the environment.
    pub tests: TestSetup,
    /// Assistant turns at most.
    pub max_turns: u32,
}

impl Task {
    /// Sets `id` to the content hash of everything else.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.id = String::new();
        let bytes = serde_json::to_vec(&self).expect("a task has only string keys");
        self.id = blake3::hash(&bytes).to_hex()[..16].to_owned();
        self
    }
}
