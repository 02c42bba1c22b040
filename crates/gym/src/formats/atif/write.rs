//! From an episode to a trajectory.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema::{
    Agent, Content, FinalMetrics, Metrics, Observation, Seen, Source, Step, ToolCall, Trajectory, VERSION,
};
use super::tokens;
use crate::agent::tools;
use crate::episode::{self, Episode, ProgramRecord, TokenTrace};
use crate::formats::Played;

/// What stands in `extra.basis` of a trajectory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extra {
    pub(super) task: String,
    pub(super) skill: String,
    pub(super) sample: u32,
    pub(super) end: Option<episode::End>,
    pub(super) submission: episode::Submission,
    pub(super) grade: episode::Grade,
    pub(super) acting: std::time::Duration,
    pub(super) grading: std::time::Duration,
    /// Version of the weights, when the steps have the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weight_version: Option<u64>,
    /// Ids after the last turn that was sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rest: Vec<u32>,
    /// All tokens, when they do not fall into as many turns as there are steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<TokenTrace>,
    /// What a program of somebody else did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) program: Option<ProgramRecord>,
}

/// What stands in `extra.basis` of what a call gave.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenExtra {
    pub(super) status: Option<i32>,
    pub(super) duration: std::time::Duration,
}

/// The trajectory of an episode.
pub(super) fn trajectory(played: &Played) -> Trajectory {
    let episode = &played.episode;
    let turns = episode.tokens.as_ref().map(tokens::turns).filter(|turns| turns.len() == episode.steps.len());
    let metrics = |at: usize| Some(tokens::metrics(episode.tokens.as_ref()?, &turns.as_ref()?[at]));
    let agent_steps = episode.steps.iter().enumerate().map(|(at, step)| agent_step(at, step, metrics(at)));
    let steps: Vec<Step> =
        std::iter::once(Step::new(1, Source::User, episode.prompt.clone())).chain(agent_steps).collect();
    let rest = match (&episode.tokens, &turns) {
        (Some(trace), Some(turns)) => trace.ids[turns.last().map_or(0, |turn| turn.end)..].to_vec(),
        _ => Vec::new(),
    };
    let sum = |count: fn(&Metrics) -> Option<u64>| {
        turns.as_ref()?;
        Some(steps.iter().filter_map(|step| count(step.metrics.as_ref()?)).sum())
    };
    let final_metrics = FinalMetrics {
        total_prompt_tokens: sum(|metrics| metrics.prompt_tokens),
        total_completion_tokens: sum(|metrics| metrics.completion_tokens),
        total_steps: Some(steps.len() as u64),
        ..FinalMetrics::default()
    };
    let extra = Extra {
        task: episode.task.clone(),
        skill: episode.skill.clone(),
        sample: episode.sample,
        end: episode.end,
        submission: episode.submission.clone(),
        grade: episode.grade.clone(),
        acting: episode.acting,
        grading: episode.grading,
        weight_version: turns.as_ref().and(episode.tokens.as_ref()).map(|trace| trace.weight_version),
        rest,
        tokens: episode.tokens.clone().filter(|_| turns.is_none()),
        program: episode.program.clone(),
    };
    Trajectory {
        schema_version: VERSION.to_owned(),
        session_id: Some(played.run.clone()),
        trajectory_id: Some(format!("{}/{}", played.run, played.key)),
        agent: agent(episode),
        steps,
        notes: None,
        final_metrics: Some(final_metrics),
        continued_trajectory_ref: None,
        extra: Some(basis(&extra)),
        subagent_trajectories: None,
    }
}

fn agent(episode: &Episode) -> Agent {
    let tool = |tool: &&tools::Tool| {
        json!({"type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.schema()}})
    };
    Agent {
        name: "basis".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model_name: Some(episode.policy.clone()),
        tool_definitions: Some(tools::ALL.iter().map(tool).collect()),
        extra: None,
    }
}

fn agent_step(at: usize, step: &episode::Step, metrics: Option<Metrics>) -> Step {
    let id = |call: usize| format!("call_{}_{call}", at + 1);
    let calls: Vec<ToolCall> = step.reply.calls.iter().enumerate().map(|(number, it)| call(id(number), it)).collect();
    let results = step.observations.iter().enumerate().map(|(number, seen)| Seen {
        // What a malformed reply is told answers no call.
        source_call_id: (number < calls.len()).then(|| id(number)),
        content: Some(Content::Text(seen.text.clone())),
        subagent_trajectory_ref: None,
        extra: Some(basis(&SeenExtra { status: seen.status, duration: seen.duration })),
    });
    let results: Vec<Seen> = results.collect();
    Step {
        tool_calls: (!calls.is_empty()).then_some(calls),
        observation: (!results.is_empty()).then_some(Observation { results }),
        metrics,
        llm_call_count: Some(1),
        extra: step.reply.malformed.as_ref().map(|why| basis(&json!({"malformed": why}))),
        ..Step::new(at + 2, Source::Agent, step.reply.text.clone())
    }
}

fn call(tool_call_id: String, call: &episode::ToolCall) -> ToolCall {
    let (name, arguments) = match call {
        episode::ToolCall::Bash { command } => ("bash", json!({"command": command})),
        episode::ToolCall::StrReplace { path, old, new } => {
            ("str_replace", json!({"path": path, "old": old, "new": new}))
        }
    };
    let Value::Object(arguments) = arguments else { unreachable!("an object was written") };
    ToolCall { tool_call_id, function_name: name.to_owned(), arguments, extra: None }
}

/// `{"basis": value}`.
fn basis(value: &impl Serialize) -> Map<String, Value> {
    let value = serde_json::to_value(value).expect("it has only string keys");
    Map::from_iter([("basis".to_owned(), value)])
}
