//! What one episode may use, beyond the limits of its sandbox.

use std::time::Duration;

/// Upper bounds of one episode. The turn limit is part of the task.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentLimits {
    /// Wall time of one `bash` call; the limit of the sandbox when that is shorter.
    pub command_wall: Duration,
    /// Bytes of one observation; head and tail are kept.
    pub observation_bytes: usize,
    /// Tool calls that are run per turn; further ones are answered with an error.
    pub calls_per_turn: usize,
    /// Files in a submission.
    pub files: usize,
    /// Bytes of one file, in a submission or under `str_replace`.
    pub file_bytes: u64,
    /// Bytes of all files of a submission together.
    pub submission_bytes: u64,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            command_wall: Duration::from_secs(10),
            observation_bytes: 4_000,
            calls_per_turn: 16,
            files: 64,
            file_bytes: 1 << 20,
            submission_bytes: 4 << 20,
        }
    }
}
