//! What the builders of all skills share: the agent's tree, the issue, and the row of a task.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::blobs::Blobs;
use crate::issue::{self, Issue};
pub use crate::languages::python::authoring::module_name;
use crate::languages::{self, of_path};
use crate::record::{BugRecord, Symptom, TestId};
use crate::skills::{Build, Rejection, Skill};
use crate::task::{Context, SCHEMA_VERSION, Task};
use crate::tree::{Tree, TreeId};

/// Share of the tests that have no number and are hidden though they say nothing about the bug.
const LONELY_DECOYS: f64 = 0.2;

/// The tree without the given test functions: they would tell where the bug is.
pub(crate) fn hide_tests(tree: &Tree, tests: &[TestId]) -> Tree {
    let files: BTreeSet<&str> = tests.iter().map(|test| file(test)).collect();
    let mut shown = tree.clone();
    for path in files {
        let own: Vec<TestId> = tests.iter().filter(|test| file(test) == path).cloned().collect();
        let Some(language) = of_path(path) else { continue };
        match shown.text(path).map(|source| language.remove_tests(source, &own)) {
            Some(Some(rest)) => shown.insert(path, rest),
            Some(None) => drop(shown.remove(path)),
            None => {}
        }
    }
    shown
}

/// A tree of the record as an agent sees it: without the given tests, and without others, because gaps where tests were would tell
/// where the bug is just as well. Every tree of a record loses the same others.
pub fn shown(record: &BugRecord, tree: &Tree, tests: &[TestId]) -> Tree {
    let mut rng = ChaCha8Rng::from_seed(*blake3::hash(format!("decoys {}", record.id).as_bytes()).as_bytes());
    let groups = groups(record);
    let is_told = |test: &&&str| record.fail_to_pass.iter().any(|id| bare(id) == **test);
    let most = groups.values().map(|group| group.iter().filter(is_told).count()).max().unwrap_or_default();
    // By file: the tests that stay, and those that go.
    let mut sides: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for group in groups.values() {
        let mut others: Vec<&str> = group.iter().filter(|test| !is_told(test)).copied().collect();
        others.shuffle(&mut rng);
        // Of each function remain as many as if it were the one of which most had to go.
        let kept = match group.len() {
            1 => usize::from(!rng.random_bool(LONELY_DECOYS)),
            count => rng.random_range(0..=count.saturating_sub(most).max(1)),
        };
        for (at, test) in others.into_iter().enumerate() {
            let (staying, going) = sides.entry(file(test)).or_default();
            if at < kept { staying.push(test) } else { going.push(test) }
        }
    }
    // No file goes because of decoys alone.
    let decoys = sides.values().flat_map(|(staying, going)| going.iter().skip(usize::from(staying.is_empty())));
    let hidden: Vec<TestId> = decoys.map(|test| (*test).to_owned()).chain(tests.iter().cloned()).collect();
    hide_tests(tree, &hidden)
}

fn file(id: &str) -> &str {
    id.split("::").next().unwrap_or(id)
}

/// Tests by what their names begin with: those that differ in a number are of one function.
fn groups(record: &BugRecord) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for test in record.pass_to_pass.iter().chain(&record.fail_to_pass).map(|id| bare(id)) {
        groups.entry(test.trim_end_matches(|c: char| c.is_ascii_digit())).or_default().insert(test);
    }
    groups
}

/// A test without its parameters.
fn bare(id: &str) -> &str {
    id.split('[').next().unwrap_or(id)
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
        Some(report) => Ok(Issue { text: report.clone(), ..Issue::default() }),
        None => Err(rejection),
    })
}

/// The issue of a record, after what people reported about it. Prefers a symptom seen through another function than the broken one: the report of a user who
/// does not know the inside.
///
/// # Errors
/// `no_symptom` when no failing test shows a call and a value.
pub fn issue(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Issue, Rejection> {
    if let Some(issue) = worded(record) {
        return Ok(issue);
    }
    let issue = stated(record, rng)?;
    match &record.report {
        Some(report) => Ok(Issue { text: format!("{report}\n\n{}", issue.text), ..issue }),
        None => Ok(issue),
    }
}

/// The issue as a model has worded it.
fn worded(record: &BugRecord) -> Option<Issue> {
    let (text, call) = record.words.issue.clone()?;
    let symptom = record.symptoms.iter().find(|symptom| symptom.call.as_ref() == Some(&call))?;
    Some(Issue { text, call, expected: symptom.expected.clone()?, set_up: set_up(record, symptom)? })
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
        if let Some(issue) = set_up(record, symptom).and_then(|set_up| issue::write(symptom, &set_up, rng)) {
            return Ok(issue);
        }
    }
    usable
        .iter()
        .find_map(|symptom| issue::write(symptom, &set_up(record, symptom)?, rng))
        .ok_or_else(|| Rejection::new("no_symptom", "no failing test shows a call and its value"))
}

/// What has to stand before the call of a symptom; `None` when it would say where the bug is.
fn set_up(record: &BugRecord, symptom: &Symptom) -> Option<String> {
    let (path, call) = (file(&symptom.test), symptom.call.as_ref()?);
    let Some(authoring) = languages::of_runner(record.tests.runner).authoring() else { return Some(String::new()) };
    let set_up = authoring.set_up(record.fixed.text(path).unwrap_or_default(), call);
    let changed = record.change.paths();
    let is_told = |path: &String| {
        let module = module_name(path, &record.tests.import_roots);
        set_up.contains(path) || module.contains('.') && set_up.contains(&module)
    };
    (!changed.iter().any(is_told)).then_some(set_up)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    #[test]
    fn other_functions_have_gaps_between_their_tests_too_and_no_file_goes_for_them() {
        let (_directory, workshop) = testkit::workshop();
        let record = testkit::record(&workshop);
        let shown = shown(&record, &record.buggy, &record.fail_to_pass);
        let tests = |tree: &Tree| {
            let texts = record.tests.files.iter().filter_map(|path| tree.text(path));
            texts.map(|text| text.matches("def test_").count()).collect::<Vec<_>>()
        };
        let (all, left) = (tests(&record.buggy), tests(&shown));
        assert!(
            left.len() == 2 && left.iter().zip(&all).all(|(left, all)| 0 < *left && left < all),
            "{left:?} of {all:?}"
        );
        assert_eq!(tests(&super::shown(&record, &record.fixed, &record.fail_to_pass)), left);
    }
}
