//! One agent working on one task: messages, tool calls, submission, grade.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A message as policies see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The task.
    User,
    /// The policy.
    Assistant,
    /// A tool's observation.
    Tool,
}

/// One assistant turn, as parsed from what the policy produced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Text outside tool calls.
    pub text: String,
    /// Tool calls in order. None means that the episode ends and `text` is the answer.
    pub calls: Vec<ToolCall>,
    /// Set when the text could not be parsed; the loop shows it to the policy as an observation.
    pub malformed: Option<String>,
}

/// A call of one of the two tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", rename_all = "snake_case")]
pub enum ToolCall {
    /// Runs a shell command in the repository.
    Bash {
        /// The command line.
        command: String,
    },
    /// Replaces the only occurrence of `old` in a file; an empty `old` creates the file.
    StrReplace {
        /// The file, relative to the repository.
        path: String,
        /// Text that must occur exactly once.
        old: String,
        /// What stands there afterwards.
        new: String,
    },
}

/// What a tool call gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What the policy reads.
    pub text: String,
    /// Exit status of a command; `None` for `str_replace` and for commands that were killed.
    pub status: Option<i32>,
    /// Wall time in the sandbox.
    pub duration: Duration,
}

/// One step: what the policy said and what it saw then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The assistant turn.
    pub reply: Reply,
    /// One observation per call.
    pub observations: Vec<Observation>,
}

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The policy answered without a tool call.
    Submitted,
    /// The turn limit of the task.
    TurnLimit,
    /// The policy's context was full.
    ContextFull,
    /// The agent's program ended with a failure.
    Crashed,
    /// The agent's program took too long and was killed.
    TimeLimit,
}

/// What is handed in: the final answer and the files that differ from the task's tree, read from the host side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Text of the last assistant turn.
    pub answer: String,
    /// Changed files, sorted by path.
    pub files: Vec<FileChange>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path relative to the repository.
    pub path: String,
    /// New content; `None` when the file was deleted. Files that are not UTF-8 text, links and devices never get here.
    pub content: Option<String>,
}

/// The verdict on an episode. A failure of infrastructure is never a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The submission was judged.
    Scored(Score),
    /// The infrastructure failed; says nothing about the policy.
    Invalid(InvalidCause),
}

/// A judged submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The reward as the skill defines it: ±1 for `localize`, 0 or 1 elsewhere.
    pub reward: f64,
    /// One code of the failure taxonomy; `ok` for full reward.
    pub code: String,
    /// One line for people.
    pub detail: String,
    /// Outcome per test or per run, for the record.
    pub table: Vec<(String, String)>,
}

/// Which boundary failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "boundary", content = "message", rename_all = "snake_case")]
pub enum InvalidCause {
    /// Creating or using a sandbox failed.
    Sandbox(String),
    /// The model server or engine failed.
    Model(String),
    /// The grader could not do its work.
    Grader(String),
    /// The task or its pack is broken.
    Task(String),
}

impl InvalidCause {
    /// What is said about it, in one line.
    pub fn message(&self) -> &str {
        match self {
            Self::Sandbox(message) | Self::Model(message) | Self::Grader(message) | Self::Task(message) => message,
        }
    }
}

/// Token ids of a whole episode, as sampled: never decoded and encoded again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenTrace {
    /// All ids: prompt, sampled, observations.
    pub ids: Vec<u32>,
    /// For each id, whether the policy sampled it.
    pub sampled: Vec<bool>,
    /// For each id, its log-probability (natural logarithm) when it was sampled; 0 where it was not.
    pub logprobs: Vec<f32>,
    /// Version of the weights that sampled the first of them.
    pub weight_version: u64,
    /// Where other weights took over: the index in `ids` from which on they sampled, and their version. Empty when one version
    /// sampled all; episodes of earlier programs are read as such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takeovers: Vec<(usize, u64)>,
}

impl TokenTrace {
    /// Version of the weights at the position `index` of `ids`.
    pub fn version_at(&self, index: usize) -> u64 {
        let before = self.takeovers.iter().rev().find(|(from, _)| *from <= index);
        before.map_or(self.weight_version, |(_, version)| *version)
    }

    /// The oldest version that sampled any of the ids.
    pub fn oldest_version(&self) -> u64 {
        self.takeovers.iter().map(|(_, version)| *version).fold(self.weight_version, u64::min)
    }
}

/// A branch of an episode's tokens: another sequence than that of [`Episode::tokens`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// All of its ids, from the first one on.
    pub trace: TokenTrace,
    /// What was sampled before this index stands in an earlier sequence of the episode, too, and counts there.
    pub from: usize,
}

/// What is known of an episode that a program of somebody else played.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramRecord {
    /// How it ended, in words.
    pub outcome: String,
    /// Head and tail of what it printed, standard error last.
    pub output: String,
    /// Turns that it was given.
    pub turns: u32,
    /// Turns with which it went on as with other tokens than those that were sampled.
    pub drifts: u32,
    /// Sequences beside that of [`Episode::tokens`].
    pub branches: Vec<Branch>,
}

/// A stretch of tokens to learn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence<'a> {
    /// All ids.
    pub trace: &'a TokenTrace,
    /// Only what was sampled from this index on counts.
    pub from: usize,
}

impl Sequence<'_> {
    /// For each id, whether it was sampled and counts here.
    pub fn counted(&self) -> impl Iterator<Item = bool> + '_ {
        self.trace.sampled.iter().enumerate().map(|(index, sampled)| *sampled && index >= self.from)
    }
}

/// One finished episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The task.
    pub task: String,
    /// Its skill.
    pub skill: String,
    /// Which of the group's samples this is, from 0.
    pub sample: u32,
    /// Name of the policy.
    pub policy: String,
    /// The first message.
    pub prompt: String,
    /// What happened.
    pub steps: Vec<Step>,
    /// Why it ended; `None` when it became invalid first.
    pub end: Option<End>,
    /// What was handed in.
    pub submission: Submission,
    /// The verdict.
    pub grade: Grade,
    /// Tokens, when the policy is an engine.
    pub tokens: Option<TokenTrace>,
    /// What a program of somebody else did; `None` for our own loop, and in episodes of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramRecord>,
    /// Wall time of acting, without grading.
    pub acting: Duration,
    /// Wall time of grading.
    pub grading: Duration,
}

impl Episode {
    /// All sequences of tokens; each sampled token counts in one of them.
    pub fn sequences(&self) -> impl Iterator<Item = Sequence<'_>> {
        let first = self.tokens.iter().map(|trace| Sequence { trace, from: 0 });
        let branches = self.program.iter().flat_map(|program| &program.branches);
        first.chain(branches.map(|branch| Sequence { trace: &branch.trace, from: branch.from }))
    }

    /// The reward, if the episode was judged.
    pub fn reward(&self) -> Option<f64> {
        match &self.grade {
            Grade::Scored(score) => Some(score.reward),
            Grade::Invalid(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_the_version_of_the_weights_that_sampled_it() {
        let trace = TokenTrace { weight_version: 4, takeovers: vec![(3, 6), (8, 7)], ..TokenTrace::default() };
        assert_eq!([0, 2, 3, 7, 8, 90].map(|index| trace.version_at(index)), [4, 4, 6, 6, 7, 7]);
        assert_eq!(trace.oldest_version(), 4);
    }

    #[test]
    fn a_trace_of_an_earlier_program_has_one_version() {
        let old = r#"{"ids":[1,2],"sampled":[false,true],"logprobs":[0.0,-0.5],"weight_version":5}"#;
        let trace: TokenTrace = serde_json::from_str(old).unwrap();
        assert_eq!((trace.version_at(0), trace.version_at(1), trace.oldest_version()), (5, 5, 5));
        assert_eq!(serde_json::to_string(&trace).unwrap(), old, "nothing is added where nothing changed");
    }
}
