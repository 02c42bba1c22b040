//! What the builders of all skills share: the agent's tree, the issue, and the row of a task.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::blobs::Blobs;
use crate::issue::{self, Issue};
use crate::languages::python::syntax::remove_tests;
use crate::record::{BugRecord, Symptom, TestId};
use crate::skills::{Build, Rejection, Skill};
use crate::task::{Context, SCHEMA_VERSION, Task};
use crate::tree::{Tree, TreeId};

/// The tree without the given test functions: they would tell where the bug is.
pub fn hide_tests(tree: &Tree, tests: &[TestId]) -> Tree {
    let files: BTreeSet<&str> = tests.iter().filter_map(|test| test.split("::").next()).collect();
    let mut shown = tree.clone();
    for file in files {
        let own: Vec<TestId> = tests.iter().filter(|test| test.split("::").next() == Some(file)).cloned().collect();
        match shown.text(file).map(|source| remove_tests(source, &own)) {
            Some(Some(rest)) => shown.insert(file, rest),
            Some(None) => drop(shown.remove(file)),
            None => {}
        }
    }
    shown
}

/// Stores a tree, or says why the pack cannot take it.
///
/// # Errors
/// A rejection with the file-system error.
pub fn store(blobs: &Blobs, tree: &Tree) -> Result<TreeId, Rejection> {
    blobs.put(tree).map_err(|error| Rejection::new("store", error.to_string()))
}

/// A report that stands alone needs so many words.
const FEWEST_WORDS: usize = 10;

/// What a user would write about a record: its issue, or where no failing test shows a call, what people reported.
///
/// # Errors
/// `no_symptom` when there is neither.
pub fn complaint(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Issue, Rejection> {
    let alone = |report: &&String| report.split_whitespace().count() >= FEWEST_WORDS;
    issue(record, rng).or_else(|rejection| match record.report.as_ref().filter(alone) {
        Some(report) => Ok(Issue { text: report.clone(), call: String::new(), expected: String::new() }),
        None => Err(rejection),
    })
}

/// The issue of a record, after what people reported about it. Prefers a symptom seen through another function than the broken one: the report of a user who
/// does not know the inside.
///
/// # Errors
/// `no_symptom` when no failing test shows a call and a value.
pub fn issue(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Issue, Rejection> {
    let issue = stated(record, rng)?;
    match &record.report {
        Some(report) => Ok(Issue { text: format!("{report}\n\n{}", issue.text), ..issue }),
        None => Ok(issue),
    }
}

fn stated(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Issue, Rejection> {
    let usable: Vec<&Symptom> = record.symptoms.iter().filter(|symptom| symptom.call.is_some()).collect();
    let broken = record.change.main().function.rsplit('.').next().unwrap_or_default();
    let (direct, indirect): (Vec<&Symptom>, Vec<&Symptom>) =
        usable.iter().partition(|symptom| issue::callee(symptom.call.as_deref().unwrap_or_default()) == broken);
    let preferred =
        if !indirect.is_empty() && (direct.is_empty() || rng.random_bool(0.65)) { indirect } else { direct };
    for _ in 0..4 {
        if preferred.is_empty() {
            break;
        }
        let symptom = preferred[rng.random_range(0..preferred.len())];
        if let Some(issue) = issue::write(symptom, rng) {
            return Ok(issue);
        }
    }
    usable
        .iter()
        .find_map(|symptom| issue::write(symptom, rng))
        .ok_or_else(|| Rejection::new("no_symptom", "no failing test shows a call and its value"))
}

/// A task row from a record.
pub fn task(
    skill: &dyn Skill,
    build: &Build,
    record: &BugRecord,
    prompt: String,
    tree: TreeId,
    hidden: &impl serde::Serialize,
) -> Task {
    Task {
        id: String::new(),
        schema_version: SCHEMA_VERSION,
        skill: skill.name().into(),
        prompt,
        context: Context { tree, tests: record.tests.clone(), max_turns: build.max_turns },
        hidden: serde_json::to_value(hidden).expect("hidden parts have only string keys"),
        grader: skill.grader().into(),
        origin: record.origin.clone(),
        project: record.project.clone(),
        family: record.id.clone(),
        pair: String::new(),
    }
    .sealed()
}

/// Reads the hidden part of a task.
///
/// # Errors
/// What does not fit.
pub fn hidden<T: serde::de::DeserializeOwned>(task: &Task) -> Result<T, String> {
    T::deserialize(&task.hidden).map_err(|error| format!("hidden part of task {}: {error}", task.id))
}

/// The dotted name under which Python imports a source file: `pkg.mod` of `src/pkg/mod.py`.
pub fn module_name(path: &str, import_roots: &[String]) -> String {
    let below = |root: &String| path.strip_prefix(root.as_str()).map(|rest| rest.trim_start_matches('/'));
    let relative = import_roots.iter().filter(|root| !root.is_empty()).find_map(below).unwrap_or(path);
    relative.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names_leave_out_the_import_root() {
        assert_eq!(module_name("src/pkg/mod.py", &["src".into()]), "pkg.mod");
        assert_eq!(module_name("pkg/__init__.py", &[String::new()]), "pkg");
    }
}
