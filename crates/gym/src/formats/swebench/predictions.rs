//! Predictions: for each row the patch that somebody hands in.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{instance_id, row};
use crate::episode::{End, Episode, FileChange, Submission};
use crate::formats::{FormatError, Played, Written, output, patch};
use crate::grade::Workshop;
use crate::rollout::World as _;
use crate::task::Task;
use crate::tree::{Tree, with_path};

const NEXT: &str = "a prediction has `instance_id`, `model_name_or_path` and `model_patch`";

#[derive(Debug, Serialize, Deserialize)]
struct Prediction {
    instance_id: String,
    model_name_or_path: String,
    model_patch: Option<String>,
}

/// Writes lines of JSON.
pub(super) fn export(workshop: &Workshop, played: &[Played], out: &Path) -> Result<Written, FormatError> {
    let mut written = Written::default();
    let mut rows = Vec::new();
    for one in played {
        let row = prediction(workshop, one).map(|row| rows.push(row));
        written.add(&one.key, row);
    }
    let written = written.unless_empty()?;
    output::file(out, &output::lines(&rows))?;
    Ok(written)
}

fn prediction(workshop: &Workshop, played: &Played) -> Result<Prediction, String> {
    let task = played.task.as_ref().ok_or("its task is in none of the packs; name it with `--pack`")?;
    if !matches!(task.skill.as_str(), "edit" | "bugfix") {
        return Err(format!("a prediction hands in a changed tree, `{}` does not", task.skill));
    }
    let shown = workshop.blobs.tree(&task.context.tree).map_err(|error| error.to_string())?;
    let mut changed = Tree::clone(&shown);
    for file in &played.episode.submission.files {
        match &file.content {
            Some(content) => changed.insert(file.path.clone(), content.as_str()),
            None => changed.remove_below(&file.path, &|_| false),
        }
    }
    let model_patch = patch::diff(&shown, &changed).map_err(|path| format!("`{path}` is no text"))?;
    Ok(Prediction {
        instance_id: instance_id(task),
        model_name_or_path: played.episode.policy.clone(),
        model_patch: Some(model_patch),
    })
}

/// Reads predictions for tasks of a pack and grades them. A patch that does not apply is handed in as nothing.
pub(super) fn import(workshop: &Workshop, tasks: &[Arc<Task>], path: &Path) -> Result<Vec<Episode>, FormatError> {
    let text = with_path(path, std::fs::read_to_string(path))?;
    let mut found: Vec<(Prediction, &Arc<Task>)> = Vec::new();
    for (at, value) in values(path, &text)?.into_iter().enumerate() {
        let place = format!("`{}` prediction {}", path.display(), at + 1);
        let prediction: Prediction =
            serde_json::from_value(value).map_err(|error| FormatError::field(&place, error.to_string(), NEXT))?;
        let task = tasks.iter().find(|task| is_of(task, &prediction.instance_id)).ok_or_else(|| {
            let problem = format!("`instance_id` `{}` names no task of the packs", prediction.instance_id);
            FormatError::field(&place, problem, "name the pack with `--pack`")
        })?;
        found.push((prediction, task));
    }
    let mut episodes: Vec<Episode> = Vec::new();
    for (prediction, task) in found {
        let sample = episodes.iter().filter(|episode| episode.task == task.id).count();
        episodes.push(episode(workshop, task, &prediction, u32::try_from(sample).unwrap_or(u32::MAX))?);
    }
    Ok(episodes)
}

/// Whether a prediction is for a task: one that was exported, or one that came from a row.
fn is_of(task: &Task, instance: &str) -> bool {
    let came_from = task.origin.source == "swebench" && task.origin.locator == instance && task.skill == "bugfix";
    came_from || instance_id(task) == instance
}

/// Lines or a list, or an object with the instances as keys, which some agents write.
fn values(path: &Path, text: &str) -> Result<Vec<Value>, FormatError> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(map)) if !map.contains_key("instance_id") => {
            Ok(map.into_iter().map(|(_, value)| value).collect())
        }
        _ => row::values(path, text),
    }
}

fn episode(workshop: &Workshop, task: &Task, prediction: &Prediction, sample: u32) -> Result<Episode, FormatError> {
    let shown = workshop.blobs.tree(&task.context.tree)?;
    let applied = patch::apply(&shown, prediction.model_patch.as_deref().unwrap_or_default());
    let (files, answer) = match applied {
        Ok((tree, changed)) => {
            let file = |path: String| {
                let content = tree.text(&path).map(str::to_owned);
                FileChange { path, content }
            };
            (changed.into_iter().map(file).collect(), String::new())
        }
        Err(reason) => (Vec::new(), format!("the patch does not apply: {reason}")),
    };
    let submission = Submission { answer, files };
    let start = Instant::now();
    let grade = workshop.grade(task, &submission);
    Ok(Episode {
        task: task.id.clone(),
        skill: task.skill.clone(),
        sample,
        policy: prediction.model_name_or_path.clone(),
        prompt: task.prompt.clone(),
        steps: Vec::new(),
        end: Some(End::Submitted),
        submission,
        grade,
        tokens: None,
        program: None,
        acting: Duration::ZERO,
        grading: start.elapsed(),
    })
}
