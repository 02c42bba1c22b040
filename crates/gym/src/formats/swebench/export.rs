//! From tasks that hand in a changed tree to rows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;

use super::row::Row;
use super::{OWNER, instance_id, repository};
use crate::calendar::date;
use crate::draft;
use crate::formats::{FormatError, Written, output, patch};
use crate::grade::Workshop;
use crate::grade::repair::Repair;
use crate::skills::{bugfix, edit};
use crate::sources::git::{Draft, create, write};
use crate::task::Task;
use crate::tree::with_path;

const DAY: u64 = 86_400;

/// Writes `rows.jsonl`, and below `repositories/` what the rows name.
pub(super) fn directory(workshop: &Workshop, tasks: &[Arc<Task>], out: &Path) -> Result<Written, FormatError> {
    output::directory(out, |directory| {
        let mut written = Written::default();
        let (mut rows, mut made) = (Vec::new(), BTreeSet::new());
        for task in tasks {
            let outcome = match repair(task) {
                Ok(repair) => {
                    let name = repository(&task.project);
                    let place = directory.join("repositories").join(format!("{OWNER}__{name}"));
                    if made.insert(name) {
                        with_path(&place, std::fs::create_dir_all(&place))?;
                        create(&place)?;
                    }
                    row(workshop, task, &repair, &place)?.map(|row| rows.push(row))
                }
                Err(reason) => Err(reason),
            };
            written.add(&task.id, outcome);
        }
        output::part(&directory.join("rows.jsonl"), output::lines(&rows))?;
        written.unless_empty()
    })
}

fn repair(task: &Task) -> Result<Repair, String> {
    match task.skill.as_str() {
        "edit" => Ok(draft::hidden::<edit::Hidden>(task)?.repair),
        "bugfix" => Ok(draft::hidden::<bugfix::Hidden>(task)?.repair),
        other => Err(format!("a row hands in a changed tree, `{other}` does not")),
    }
}

/// The row, or why there is none; an error when its repository cannot be written.
fn row(workshop: &Workshop, task: &Task, repair: &Repair, place: &Path) -> Result<Result<Row, String>, FormatError> {
    let tree = |id| workshop.blobs.tree(id);
    let (shown, buggy, fixed) = (tree(&task.context.tree)?, tree(&repair.buggy)?, tree(&repair.fixed)?);
    let diffs = patch::diff(&shown, &buggy).and_then(|tests| Ok((tests, patch::diff(&buggy, &fixed)?)));
    let (test_patch, patch) = match diffs {
        Ok(diffs) => diffs,
        Err(path) => return Ok(Err(format!("`{path}` is no text, which no patch can change"))),
    };
    let time = time(task);
    let message = format!("The state before {}\n", task.id);
    let draft = Draft { tree: &shown, parent: None, message: &message, time };
    let base_commit = write(place, &format!("refs/heads/{}", task.id), &draft)?;
    // A repository shows something by itself, or it cannot be cloned; here the last of them.
    write(place, "refs/heads/main", &draft)?;
    Ok(Ok(Row {
        instance_id: instance_id(task),
        repo: format!("{OWNER}/{}", repository(&task.project)),
        environment_setup_commit: base_commit.clone(),
        base_commit,
        patch,
        test_patch,
        problem_statement: task.prompt.clone(),
        hints_text: String::new(),
        created_at: json!(format!("{}T00:00:00Z", date(time))),
        version: "0".to_owned(),
        fail_to_pass: repair.fail_to_pass.clone(),
        pass_to_pass: repair.pass_to_pass.clone(),
    }))
}

/// A time from which follows which versions of packages the tests run with: just before the day on which a version is too new.
fn time(task: &Task) -> u64 {
    let seconds = |text: &str| {
        let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        // The calendar only goes one way: the day is looked for.
        let near = (year.checked_sub(1970)? * 365 + month.checked_sub(1)? * 28 + day) * DAY;
        (0..80).map(|later| near + later * DAY).find(|time| date(*time) == text)
    };
    let known = task.context.tests.before.as_deref().and_then(seconds).map(|day| day.saturating_sub(DAY));
    known.unwrap_or_else(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs()))
}
