//! The loop: prompt, reply, tool calls, observations, until an answer or a limit; then freeze and collect.
//!
//! Whatever the policy gets wrong is an observation. Whatever the sandbox or the model server gets wrong interrupts the
//! episode with its cause and is never judged.

use basis_sandbox::Sandbox;

use super::{AgentLimits, collect, tools};
use crate::episode::{End, InvalidCause, Message, Observation, Reply, Role, Step, Submission};
use crate::policy::{Action, Session};
use crate::task::Task;
use crate::threads::held_up;

/// An episode that came to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// What happened.
    pub steps: Vec<Step>,
    /// Why it ended.
    pub end: End,
    /// What was handed in; the answer is empty unless the policy ended the episode itself.
    pub submission: Submission,
    /// Changed paths that are not part of the submission, with the reason.
    pub ignored: Vec<(String, String)>,
}

/// An episode that the infrastructure broke.
#[derive(Debug, Clone, PartialEq)]
pub struct Interrupted {
    /// Which boundary failed.
    pub cause: InvalidCause,
    /// What had happened by then.
    pub steps: Vec<Step>,
}

impl From<Interrupted> for InvalidCause {
    fn from(interrupted: Interrupted) -> Self {
        interrupted.cause
    }
}

/// Lets `session` work on `task` in `sandbox`, which must hold the task's tree and nothing of its hidden part.
///
/// Afterwards the sandbox is frozen.
///
/// # Errors
/// [`Interrupted`] when the policy could not act or the sandbox was lost.
pub async fn run(
    session: &mut dyn Session,
    sandbox: &mut dyn Sandbox,
    task: &Task,
    limits: &AgentLimits,
) -> Result<Acted, Interrupted> {
    let mut steps = Vec::new();
    let outcome = converse(session, sandbox, task, limits, &mut steps)
        .await
        .and_then(|end| Ok((end, held_up(|| collect::changed_files(sandbox, limits)).map_err(lost)?)));
    match outcome {
        Ok((end, (files, ignored))) => {
            let submission = Submission { answer: answer(end, &steps), files };
            Ok(Acted { steps, end, submission, ignored })
        }
        Err(cause) => Err(Interrupted { cause, steps }),
    }
}

async fn converse(
    session: &mut dyn Session,
    sandbox: &mut dyn Sandbox,
    task: &Task,
    limits: &AgentLimits,
    steps: &mut Vec<Step>,
) -> Result<End, InvalidCause> {
    let mut new = vec![Message { role: Role::User, content: task.prompt.clone() }];
    for _ in 0..task.context.max_turns {
        let reply = match session.act(&new).await? {
            Action::Reply(reply) => reply,
            Action::ContextFull => return Ok(End::ContextFull),
        };
        let observations = held_up(|| observe(&reply, sandbox, limits))?;
        new = observations.iter().map(|seen| Message { role: Role::Tool, content: seen.text.clone() }).collect();
        steps.push(Step { reply, observations });
        if new.is_empty() {
            return Ok(End::Submitted);
        }
    }
    Ok(End::TurnLimit)
}

/// One observation per call, one for a malformed reply, none for an answer.
fn observe(reply: &Reply, sandbox: &mut dyn Sandbox, limits: &AgentLimits) -> Result<Vec<Observation>, InvalidCause> {
    if let Some(why) = &reply.malformed {
        return Ok(vec![note(format!("malformed reply: {why}; expected a call of {} or an answer", tools::names()))]);
    }
    let mut run = |(index, call)| match index < limits.calls_per_turn {
        true => tools::run(call, sandbox, limits).map_err(lost),
        false => Ok(note(format!("not run: at most {} calls per turn", limits.calls_per_turn))),
    };
    // Kept as long as the episode, so without room for more.
    let mut seen = Vec::with_capacity(reply.calls.len());
    for call in reply.calls.iter().enumerate() {
        seen.push(run(call)?);
    }
    Ok(seen)
}

fn note(text: String) -> Observation {
    Observation { text, status: None, duration: std::time::Duration::ZERO }
}

fn answer(end: End, steps: &[Step]) -> String {
    match (end, steps.last()) {
        (End::Submitted, Some(step)) => step.reply.text.clone(),
        _ => String::new(),
    }
}

fn lost(error: basis_sandbox::SandboxError) -> InvalidCause {
    InvalidCause::Sandbox(error.to_string())
}
