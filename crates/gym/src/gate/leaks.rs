//! Whether the prompt or the tree gives the solution away.

use super::examine::{Objection, Subject};
use super::facts::{Change, Facts};
use crate::draft::module_name;
use crate::languages::functions;
use crate::task::Task;
use crate::tree::Tree;

/// A line of so many words is not written twice by chance.
const TELLING_WORDS: usize = 6;
/// Share of common lines from which a file is another version of one.
const COPY: f64 = 0.8;

pub(super) fn check(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let task = subject.task;
    let broken = |reason: String| Objection::new("hidden", reason);
    let shown = subject.workshop.blobs.tree(&task.context.tree).map_err(|error| broken(error.to_string()))?;
    let facts = Facts::of(task).map_err(broken)?;
    let changes = facts.changes(subject.workshop, &shown).map_err(broken)?;
    leftovers(&shown)?;
    named_files(task, &facts)?;
    metadata(task)?;
    written_fix(task, &changes)?;
    already_fixed(&shown, &changes)?;
    // A refactoring makes its result of what stands there.
    if facts.using.is_none() {
        copies(&shown, &changes)?;
    }
    facts.repair.map_or(Ok(()), |repair| visible_tests(&shown, &repair.fail_to_pass))
}

/// Files that remember other versions of the tree.
fn leftovers(shown: &Tree) -> Result<(), Objection> {
    for path in shown.paths() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let has = |part: &str| path.split('/').any(|it| it == part);
        let code = if [".git", ".hg", ".svn", "ORIG_HEAD"].iter().any(|part| has(part)) {
            "leak.history"
        } else if has("__pycache__") || name.ends_with(".pyc") {
            "leak.bytecode"
        } else if [".patch", ".diff", ".orig", ".rej", ".bak"].iter().any(|end| name.ends_with(end))
            || name.ends_with('~')
        {
            "leak.patch"
        } else if has(".pytest_cache") || name == ".coverage" || name == "RECORD" {
            "leak.cache"
        } else {
            continue;
        };
        return Err(Objection::new(code, format!("the tree holds `{path}`")));
    }
    Ok(())
}

/// Whoever has to find a file must not be told which.
fn named_files(task: &Task, facts: &Facts) -> Result<(), Objection> {
    for path in facts.gold.iter().flatten() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let module = module_name(path, &task.context.tests.import_roots);
        let telling = module.contains('.').then_some(module.as_str());
        if let Some(text) =
            [Some(path.as_str()), Some(name), telling].into_iter().flatten().find(|it| task.prompt.contains(it))
        {
            return Err(Objection::new("leak.path", format!("the prompt names `{text}`")));
        }
    }
    Ok(())
}

fn metadata(task: &Task) -> Result<(), Objection> {
    let telling = ["index ", "From: ", "Date: ", "Author: ", "commit "];
    let line = task.prompt.lines().find(|line| telling.iter().any(|start| line.starts_with(start)));
    match line.filter(|_| task.skill == "review") {
        Some(line) => Err(Objection::new("leak.metadata", format!("the change carries `{line}`"))),
        None => Ok(()),
    }
}

fn written_fix(task: &Task, changes: &[Change]) -> Result<(), Objection> {
    let words = |line: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|it| !it.is_empty()).count();
    let telling = |line: &&str| words(line) >= TELLING_WORDS && task.prompt.contains(*line);
    match changes.iter().flat_map(Change::added).find(telling) {
        Some(line) => Err(Objection::new("leak.fix", format!("the prompt has the line `{line}` of the solution"))),
        None => Ok(()),
    }
}

fn already_fixed(shown: &Tree, changes: &[Change]) -> Result<(), Objection> {
    match !changes.is_empty() && changes.iter().all(|change| shown.text(&change.path) == Some(&change.after)) {
        true => Err(Objection::new("leak.solved", "the tree is healthy already")),
        false => Ok(()),
    }
}

/// Another version of a changed file that has every line of the solution.
fn copies(shown: &Tree, changes: &[Change]) -> Result<(), Objection> {
    for change in changes {
        let lines: Vec<&str> = change.after.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let added: Vec<&str> = change.added().collect();
        for path in shown.paths().filter(|path| *path != change.path) {
            let Some(text) = shown.text(path) else { continue };
            let has = |line: &&str| text.lines().any(|other| other.trim() == *line);
            let common = lines.iter().filter(|line| has(line)).count();
            let is_copy = common as f64 >= COPY * lines.len() as f64 && added.iter().all(has);
            if is_copy && lines.len() >= 3 && !added.is_empty() {
                return Err(Objection::new("leak.copy", format!("`{path}` is `{}` with the solution", change.path)));
            }
        }
    }
    Ok(())
}

/// Tests that fail say where the bug is.
fn visible_tests(shown: &Tree, fail_to_pass: &[String]) -> Result<(), Objection> {
    let is_visible = |id: &&String| {
        let (file, inside) = id.split_once("::").unwrap_or((id, ""));
        let test = inside.split('[').next().unwrap_or(inside).replace("::", ".");
        shown.text(file).is_some_and(|text| functions(file, text).iter().any(|span| span.qualified() == test))
    };
    match fail_to_pass.iter().find(is_visible) {
        Some(id) => Err(Objection::new("leak.tests", format!("the agent sees `{id}`"))),
        None => Ok(()),
    }
}
