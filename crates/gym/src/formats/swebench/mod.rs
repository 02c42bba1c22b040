//! Rows of SWE-bench and predictions for them.
//!
//! A row stands for a repair: `base_commit`, `test_patch` and `patch` give the broken tree and the healthy one. Written rows come with a
//! repository that has their commits, so that they mean something elsewhere. Rows that are read are taken for commits that repaired
//! something: the repair has to show in runs here, and every task passes its gates.

mod export;
mod import;
mod predictions;
mod row;

use super::{Export, Format, Import};
use crate::task::Task;

/// Rows.
pub static ROWS: Format = Format {
    name: "swebench",
    about: "SWE-bench rows in a directory, with the repositories that they name",
    export: Export::Tasks(export::directory),
    import: Some(Import::Tasks(import::rows)),
};

/// Predictions.
pub static PREDICTIONS: Format = Format {
    name: "swebench-predictions",
    about: "SWE-bench predictions from the episodes of a run",
    export: Export::Episodes(predictions::export),
    import: Some(Import::Episodes(predictions::import)),
};

/// The owner that stands in the names of what was written here.
const OWNER: &str = "basis";

/// The name of a task's row: `owner__repository-number`, as tools expect it.
fn instance_id(task: &Task) -> String {
    format!("{OWNER}__{}-{}", repository(&task.project), task.id)
}

/// The name of a project's repository.
fn repository(project: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    project.chars().map(plain).collect()
}
