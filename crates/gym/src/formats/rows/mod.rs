//! Rows that trainers read a task set from: prompt, what to call the reward by, and which task it is.
//!
//! The rows tell nothing that only a grader may know: the ground truth is the id of the task, by which the reward is asked for.
//! A name that ends in `.parquet` gives a Parquet file, one that ends in `.jsonl` lines of JSON.

#[cfg(feature = "parquet")]
mod parquet;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::output;
use super::{Export, Format, FormatError, Written};
use crate::skills;
use crate::task::Task;

/// Rows of verl.
pub static VERL: Format = Format {
    name: "verl",
    about: "rows for verl, as `.parquet` or `.jsonl`",
    export: Export::Tasks(|_, tasks, out| write(tasks, out, verl)),
    import: None,
};

/// Rows of SkyRL.
pub static SKYRL: Format = Format {
    name: "skyrl",
    about: "rows for SkyRL, as `.parquet` or `.jsonl`",
    export: Export::Tasks(|_, tasks, out| write(tasks, out, skyrl)),
    import: None,
};

/// Rows of TRL.
pub static TRL: Format = Format {
    name: "trl",
    about: "rows for TRL, as `.parquet` or `.jsonl`",
    export: Export::Tasks(|_, tasks, out| write(tasks, out, trl)),
    import: None,
};

/// Rows of NeMo Gym.
pub static NEMO: Format = Format {
    name: "nemo",
    about: "rows for NeMo Gym, as `.parquet` or `.jsonl`",
    export: Export::Tasks(|_, tasks, out| write(tasks, out, nemo)),
    import: None,
};

fn write(tasks: &[Arc<Task>], out: &Path, row: fn(&Task, usize) -> Value) -> Result<Written, FormatError> {
    let rows: Vec<Value> = tasks.iter().enumerate().map(|(index, task)| row(task, index)).collect();
    let written = Written { count: rows.len(), left_out: Vec::new() }.unless_empty()?;
    let bytes = match out.extension().and_then(|ending| ending.to_str()) {
        Some("jsonl") => output::lines(&rows),
        Some("parquet") => parquet(&rows, out)?,
        _ => {
            let next = "end the name in `.parquet` or `.jsonl`";
            return Err(FormatError::file(out, "has no ending that says how rows are written", next));
        }
    };
    output::file(out, &bytes)?;
    Ok(written)
}

#[cfg(feature = "parquet")]
fn parquet(rows: &[Value], _: &Path) -> Result<Vec<u8>, FormatError> {
    Ok(parquet::write(rows)?)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &[Value], out: &Path) -> Result<Vec<u8>, FormatError> {
    let next = "build with `--features parquet`, or end the name in `.jsonl`";
    Err(FormatError::file(out, "asks for Parquet, which this program was built without", next))
}

fn messages(task: &Task) -> Value {
    json!([{"role": "user", "content": task.prompt}])
}

/// `basis/edit`.
fn source(task: &Task) -> String {
    format!("basis/{}", task.skill)
}

/// Composite kinds are never trained on.
fn split(task: &Task) -> &'static str {
    match skills::find(&task.skill).is_some_and(|skill| skill.is_composite()) {
        true => "test",
        false => "train",
    }
}

/// What all trainers pass on to the environment.
fn about(task: &Task, index: usize) -> Value {
    json!({
        "split": split(task),
        "index": index,
        "task": task.id,
        "skill": task.skill,
        "project": task.project,
        "family": task.family,
        "pair": task.pair,
        "tree": task.context.tree.0,
        "grader": task.grader,
        "max_turns": task.context.max_turns,
    })
}

fn verl(task: &Task, index: usize) -> Value {
    json!({
        "data_source": source(task),
        "prompt": messages(task),
        "ability": task.skill,
        "reward_model": {"style": "rule", "ground_truth": task.id},
        "extra_info": about(task, index),
        "agent_name": "basis",
    })
}

fn skyrl(task: &Task, index: usize) -> Value {
    json!({
        "data_source": source(task),
        "prompt": messages(task),
        "env_class": "basis",
        "reward_spec": {"method": "rule", "ground_truth": task.id},
        "extra_info": about(task, index),
    })
}

fn trl(task: &Task, index: usize) -> Value {
    let mut row = about(task, index);
    row["prompt"] = messages(task);
    row["environment"] = json!("basis");
    row
}

fn nemo(task: &Task, index: usize) -> Value {
    let mut row = about(task, index);
    row["responses_create_params"] = json!({"input": messages(task)});
    row
}
