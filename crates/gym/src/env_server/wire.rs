//! What clients read and write, as JSON. Messages have the form of chat completions.

use serde_json::{Value, json};

use super::visit::Turn;
use crate::agent::tools;
use crate::episode::{Episode, FileChange, Grade, InvalidCause, Message, Role, Submission};
use crate::policy::tool_list;
use crate::task::Task;

/// For those who ask for something else.
pub(super) const PLACES: &str = "there are `GET /tasks`, `POST /tasks/<id>/grade`, `POST /episodes`, \
                                 `POST /episodes/<id>/act`, `GET` and `DELETE /episodes/<id>`, `POST /sandboxes`";

/// A task as agents and their trainers may see it: nothing of its hidden part.
pub(super) fn task(task: &Task) -> Value {
    json!({
        "id": task.id,
        "skill": task.skill,
        "prompt": task.prompt,
        "system": tools::SYSTEM,
        "max_turns": task.context.max_turns,
        "project": task.project,
        "family": task.family,
        "pair": task.pair,
    })
}

/// The answer to who begins an episode.
pub(super) fn opening(id: &str, task: &Task, turn: &Turn) -> Value {
    let mut whole = turn.to_json();
    if let Turn::Go(messages) = turn {
        let system = [json!({"role": "system", "content": tools::SYSTEM})];
        whole["messages"] = system.into_iter().chain(messages.iter().cloned()).collect();
    }
    whole["episode"] = json!(id);
    whole["task"] = json!(task.id);
    whole["skill"] = json!(task.skill);
    whole["tools"] = tool_list();
    whole["max_turns"] = json!(task.context.max_turns);
    whole
}

/// What the loop says. Observations answer the client's calls in order; where a reply could not be read there is one for all of them,
/// because servers refuse calls that have no answer.
pub(super) fn messages(new: &[Message], calls: &[String]) -> Vec<Value> {
    let user = |message: &Message| json!({"role": "user", "content": message.content});
    let tool = |id: &String, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    match new {
        [one] if one.role == Role::Tool && !calls.is_empty() => calls.iter().map(|id| tool(id, &one.content)).collect(),
        _ => {
            let mut open = calls.iter();
            let message = |message: &Message| match message.role {
                Role::Tool => open.next().map_or_else(|| user(message), |id| tool(id, &message.content)),
                Role::Assistant => json!({"role": "assistant", "content": message.content}),
                Role::User => user(message),
            };
            new.iter().map(message).collect()
        }
    }
}

/// The end of an episode.
pub(super) fn result(episode: &Episode) -> Value {
    let mut result = grade(&episode.grade);
    result["end"] = json!(episode.end);
    result["turns"] = json!(episode.steps.len());
    result["files"] = episode.submission.files.iter().map(|file| json!(file.path)).collect();
    result["seconds"] = json!({"acting": episode.acting.as_secs_f64(), "grading": episode.grading.as_secs_f64()});
    result
}

/// The end of an episode whose thread ended without one.
pub(super) fn lost() -> Value {
    grade(&Grade::Invalid(InvalidCause::Sandbox("the episode's thread ended".to_owned())))
}

/// A verdict; `reward` is null where infrastructure failed. The table of single tests stays here: it names what is hidden.
pub(super) fn grade(grade: &Grade) -> Value {
    match grade {
        Grade::Scored(score) => {
            json!({"valid": true, "reward": score.reward, "code": score.code, "detail": score.detail, "cause": null})
        }
        Grade::Invalid(cause) => {
            json!({"valid": false, "reward": null, "code": "invalid", "detail": cause.message(), "cause": cause})
        }
    }
}

/// What is handed in without an episode.
pub(super) fn submission(body: &Value) -> Result<Submission, String> {
    let answer = match &body["answer"] {
        Value::Null => String::new(),
        answer => answer.as_str().ok_or("`answer` is wrong, expected a text")?.to_owned(),
    };
    let empty = Vec::new();
    let files = match &body["files"] {
        Value::Null => &empty,
        files => files.as_array().ok_or("`files` is wrong, expected a list of `{path, content}`")?,
    };
    let mut files = files.iter().map(file).collect::<Result<Vec<_>, String>>()?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    if let Some(twice) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(format!("`files` has `{}` twice", twice[0].path));
    }
    Ok(Submission { answer, files })
}

fn file(value: &Value) -> Result<FileChange, String> {
    let path = value["path"].as_str().ok_or("a file has no `path`")?;
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    if !path.split('/').all(is_plain) || path.contains('\0') {
        return Err(format!("`{path}` is no path within the repository"));
    }
    let content = match &value["content"] {
        Value::Null => None,
        content => Some(content.as_str().ok_or_else(|| format!("`content` of `{path}` is no text"))?.to_owned()),
    };
    Ok(FileChange { path: path.to_owned(), content })
}
