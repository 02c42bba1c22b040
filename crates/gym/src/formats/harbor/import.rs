//! From directories that were written here back to tasks, each of which passes its gates again.

use std::path::{Path, PathBuf};

use super::export::TASK_FILE;
use super::manifest::{Manifest, SCHEMA};
use crate::factory::Yield;
use crate::formats::{FormatError, Intake};
use crate::gate;
use crate::grade::policy::stays_inside;
use crate::task::{SCHEMA_VERSION, Task};
use crate::tree::{Tree, with_path};

/// Reads one task directory, or every one below a directory. All are looked at before the first is gated.
pub(super) fn directory(intake: &Intake, path: &Path) -> Result<Yield, FormatError> {
    let read: Vec<(Task, Vec<Tree>)> = directories(path)?.iter().map(|it| read(it)).collect::<Result<_, _>>()?;
    let mut made = Yield::default();
    for (task, trees) in read {
        trees.iter().try_for_each(|tree| intake.workshop.blobs.put(tree).map(drop))?;
        let evidence = gate::check(intake.workshop, &task);
        if evidence.passed {
            made.tasks.push(task);
        }
        made.evidence.push(evidence);
    }
    Ok(made)
}

fn directories(path: &Path) -> Result<Vec<PathBuf>, FormatError> {
    if path.join("task.toml").is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = with_path(path, std::fs::read_dir(path))?;
    let paths = entries.map(|entry| Ok(with_path(path, entry)?.path())).collect::<Result<Vec<_>, FormatError>>()?;
    let mut found: Vec<PathBuf> = paths.into_iter().filter(|path| path.join("task.toml").is_file()).collect();
    found.sort();
    match found.is_empty() {
        true => Err(FormatError::file(path, "has no `task.toml`, nor has a directory in it", "name a task directory")),
        false => Ok(found),
    }
}

fn read(directory: &Path) -> Result<(Task, Vec<Tree>), FormatError> {
    let path = directory.join("task.toml");
    let text = with_path(&path, std::fs::read_to_string(&path))?;
    let next = "correct it, `harbor lint` names the same fields";
    let manifest: Manifest =
        toml::from_str(&text).map_err(|error| FormatError::field(path.display().to_string(), error.message(), next))?;
    if !["1.0", "1.1", "1.2", "1.3", SCHEMA].contains(&manifest.schema_version.as_str()) {
        let problem = format!("has the `schema_version` `{}`, expected `{SCHEMA}` or older", manifest.schema_version);
        return Err(FormatError::file(&path, problem, "update this program, or export it again"));
    }
    let path = directory.join(TASK_FILE);
    let text = std::fs::read_to_string(&path).map_err(|_| {
        let problem =
            format!("has no `{TASK_FILE}`: it was not written by Basis, and `tests/test.sh` is no grader of ours");
        FormatError::file(directory, problem, "run it with `harbor run`, or import its repository with `basis mine`")
    })?;
    let next = "export the task again";
    let task: Task = serde_json::from_str(&text)
        .map_err(|error| FormatError::field(path.display().to_string(), error.to_string(), next))?;
    if task.schema_version > SCHEMA_VERSION {
        let problem = format!("has task schema {}, this program reads up to {SCHEMA_VERSION}", task.schema_version);
        return Err(FormatError::file(&path, problem, "update this program"));
    }
    if task.clone().sealed().id != task.id {
        return Err(FormatError::file(&path, format!("is not the task `{}` that it says it is", task.id), next));
    }
    Ok((task, trees(directory)?))
}

/// All trees that lie in the directory; those that the task names by their hashes are found among them.
fn trees(directory: &Path) -> Result<Vec<Tree>, FormatError> {
    let mut places = vec![directory.join("environment/repo")];
    let hidden = directory.join("tests/trees");
    if hidden.is_dir() {
        let entries = with_path(&hidden, std::fs::read_dir(&hidden))?;
        for entry in entries {
            places.push(with_path(&hidden, entry)?.path());
        }
    }
    let mut trees = places
        .iter()
        .map(|place| Ok(Tree::from_dir(place, &|path| !stays_inside(path))?))
        .collect::<Result<Vec<_>, FormatError>>()?;
    // The healthy tree of a repair is the broken one with the gold change.
    let gold = directory.join("solution/files");
    if gold.is_dir() && hidden.join("base").is_dir() {
        let (base, gold) = (Tree::from_dir(&hidden.join("base"), &|_| false)?, Tree::from_dir(&gold, &|_| false)?);
        trees.push(base.with(&gold));
    }
    Ok(trees)
}
