//! From trajectories to episodes.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::schema::{Metrics, Source, Step, Trajectory, VERSION};
use super::tokens;
use super::write::{Extra, SeenExtra};
use crate::agent::tools;
use crate::episode::{self, Episode, Grade, InvalidCause, Reply, TokenTrace};
use crate::formats::FormatError;
use crate::tree::with_path;

const NEXT: &str = "fields of other programs belong into `extra`";

/// All trajectories of a directory, in the order of their names, or the one of a file.
pub(super) fn directory(path: &Path) -> Result<Vec<Episode>, FormatError> {
    let files = if path.is_dir() { files(path)? } else { vec![path.to_owned()] };
    if files.is_empty() {
        return Err(FormatError::file(path, "has no file that ends in `.json`", "name a directory of trajectories"));
    }
    files.iter().enumerate().map(|(number, file)| read(file, number)).collect()
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, FormatError> {
    let entries = with_path(directory, std::fs::read_dir(directory))?;
    let paths =
        entries.map(|entry| Ok(with_path(directory, entry)?.path())).collect::<Result<Vec<_>, FormatError>>()?;
    let mut files: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    files.sort();
    Ok(files)
}

fn read(path: &Path, number: usize) -> Result<Episode, FormatError> {
    let text = with_path(path, std::fs::read_to_string(path))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| FormatError::file(path, format!("is no JSON: {error}"), "name a trajectory"))?;
    let version = value["schema_version"].as_str().unwrap_or_default().to_owned();
    if !version.starts_with("ATIF-v1.") {
        let problem = format!("has the `schema_version` `{version}`, expected `{VERSION}` or an older 1.x");
        return Err(FormatError::file(path, problem, "export it again"));
    }
    let place = path.display().to_string();
    let trajectory: Trajectory =
        serde_json::from_value(value).map_err(|error| FormatError::field(&place, error.to_string(), NEXT))?;
    episode(&trajectory, number).map_err(|problem| FormatError::field(place, problem, NEXT))
}

fn episode(trajectory: &Trajectory, number: usize) -> Result<Episode, String> {
    if let Some((at, step)) = trajectory.steps.iter().enumerate().find(|(at, step)| step.step_id != at + 1) {
        return Err(format!("`step_id` {} of step {} is out of order", step.step_id, at + 1));
    }
    let of = |source: Source| trajectory.steps.iter().filter(move |step| step.source == source);
    let prompt = of(Source::User).next().ok_or("`steps` have no user message")?.message.text();
    let agent: Vec<&Step> = of(Source::Agent).collect();
    let steps = agent.iter().map(|it| step(it)).collect::<Result<Vec<_>, String>>()?;
    let extra: Option<Extra> = own(trajectory.extra.as_ref())?;
    let tokens = trace(&agent, extra.as_ref())?;
    let policy = trajectory.agent.model_name.clone().unwrap_or_else(|| trajectory.agent.name.clone());
    let Some(extra) = extra else {
        let name = trajectory.trajectory_id.clone().or_else(|| trajectory.session_id.clone());
        let answer = steps.last().filter(|step| step.reply.calls.is_empty()).map(|step| step.reply.text.clone());
        return Ok(Episode {
            task: name.unwrap_or_else(|| format!("trajectory-{number}")),
            skill: "imported".to_owned(),
            sample: 0,
            policy,
            prompt,
            end: answer.is_some().then_some(episode::End::Submitted),
            submission: episode::Submission { answer: answer.unwrap_or_default(), files: Vec::new() },
            steps,
            grade: Grade::Invalid(InvalidCause::Grader(
                "it was played elsewhere, and nobody graded it here".to_owned(),
            )),
            tokens,
            program: None,
            acting: std::time::Duration::ZERO,
            grading: std::time::Duration::ZERO,
        });
    };
    Ok(Episode {
        task: extra.task,
        skill: extra.skill,
        sample: extra.sample,
        policy,
        prompt,
        steps,
        end: extra.end,
        submission: extra.submission,
        grade: extra.grade,
        tokens,
        program: extra.program,
        acting: extra.acting,
        grading: extra.grading,
    })
}

fn trace(agent: &[&Step], extra: Option<&Extra>) -> Result<Option<TokenTrace>, String> {
    if let Some(trace) = extra.and_then(|extra| extra.tokens.clone()) {
        return Ok(Some(trace));
    }
    let metrics: Vec<&Metrics> = agent.iter().filter_map(|step| step.metrics.as_ref()).collect();
    let version = extra.and_then(|extra| extra.weight_version);
    if version.is_none() && !metrics.iter().any(|metrics| metrics.completion_token_ids.is_some()) {
        return Ok(None);
    }
    let mut trace = tokens::trace(&metrics, version.unwrap_or_default())?;
    tokens::append(&mut trace, extra.map_or(&[][..], |extra| &extra.rest), None);
    Ok(Some(trace))
}

fn step(step: &Step) -> Result<episode::Step, String> {
    let mut reply = Reply { text: step.message.text(), ..Reply::default() };
    for call in step.tool_calls.iter().flatten() {
        let arguments = Value::Object(call.arguments.clone());
        let parsed = tools::parse(&call.function_name, &arguments);
        reply.calls.push(parsed.map_err(|problem| format!("`tool_calls` of step {}: {problem}", step.step_id))?);
    }
    let malformed: Option<Malformed> = own(step.extra.as_ref())?;
    reply.malformed = malformed.map(|it| it.malformed);
    let mut observations = Vec::new();
    for seen in step.observation.iter().flat_map(|observation| &observation.results) {
        if let Some(id) = &seen.source_call_id
            && !step.tool_calls.iter().flatten().any(|call| call.tool_call_id == *id)
        {
            return Err(format!("`source_call_id` `{id}` of step {} names no call of that step", step.step_id));
        }
        let extra: Option<SeenExtra> = own(seen.extra.as_ref())?;
        let (status, duration) =
            extra.map_or((None, std::time::Duration::ZERO), |extra| (extra.status, extra.duration));
        let text = seen.content.as_ref().map_or_else(String::new, |content| content.text());
        observations.push(episode::Observation { text, status, duration });
    }
    Ok(episode::Step { reply, observations })
}

#[derive(serde::Deserialize)]
struct Malformed {
    malformed: String,
}

/// What stands in `extra.basis`.
fn own<T: DeserializeOwned>(extra: Option<&Map<String, Value>>) -> Result<Option<T>, String> {
    let value = extra.and_then(|extra| extra.get("basis"));
    value.map(|value| T::deserialize(value).map_err(|error| format!("`extra.basis`: {error}"))).transpose()
}
