//! What can only be asked of several tasks together: pairs, what changes look like, duplicates, projects that benchmarks are made of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Objection;
use super::appearance::telling_pairs;
use super::facts::Facts;
use crate::task::Task;

/// Prompts with at least this share of common runs of five words are one.
const NEAR: f64 = 0.7;
const RUN: usize = 5;

/// Projects of SWE-bench and its relatives: tasks made from them would measure memory.
const BENCHMARKS: [&str; 24] = [
    "astropy",
    "django",
    "flask",
    "matplotlib",
    "pylint",
    "pytest",
    "requests",
    "scikit-learn",
    "seaborn",
    "sphinx",
    "sympy",
    "xarray",
    "pandas",
    "numpy",
    "scipy",
    "dask",
    "mypy",
    "moto",
    "pydantic",
    "hydra-core",
    "modin",
    "monai",
    "bokeh",
    "conan",
];

/// What is asked of several tasks together: the gate's number, and the question.
pub static AMONG: [(&str, &str); 4] = [
    ("G11", "is it made of a project that no public benchmark is made of?"),
    ("G2", "does it stand beside the other task of its pair, with the other label?"),
    ("G8", "does what the changes look like not tell their labels?"),
    ("G10", "is it unlike every other task?"),
];

/// Objections by position in `tasks`, with the gate's number; at most one for each.
pub fn among<'a>(tasks: &[&'a Task]) -> Vec<(&'a Task, &'static str, Objection)> {
    let mut found = Vec::new();
    let labels = labels(tasks);
    let (telling, appearance) = telling_pairs(tasks).unzip();
    let telling: Vec<String> = telling.unwrap_or_default();
    let mut seen: BTreeMap<&str, Vec<(&Task, BTreeSet<String>)>> = BTreeMap::new();
    for &task in tasks {
        let objection =
            contaminated(task).map(|it| ("G11", it)).or_else(|| unpaired(task, &labels).map(|it| ("G2", it)));
        let objection =
            objection.or_else(|| appearance.clone().filter(|_| telling.contains(&task.pair)).map(|it| ("G8", it)));
        let runs = runs(&task.prompt);
        let others = seen.entry(&task.skill).or_default();
        let objection = objection.or_else(|| duplicate(task, &runs, others).map(|it| ("G10", it)));
        others.push((task, runs));
        found.extend(objection.map(|(gate, objection)| (task, gate, objection)));
    }
    found
}

fn contaminated(task: &Task) -> Option<Objection> {
    let name = task.project.to_lowercase().replace('_', "-");
    BENCHMARKS
        .contains(&name.as_str())
        .then(|| Objection::new("benchmark", format!("`{name}` is part of public benchmarks")))
}

/// Every pair has one right and one wrong change, or a constant answer is worth something.
fn labels<'a>(tasks: &[&'a Task]) -> BTreeMap<&'a str, Vec<String>> {
    let mut labels: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.skill == "review") {
        let label = Facts::of(task).ok().and_then(|facts| facts.label).unwrap_or_default();
        labels.entry(&task.pair).or_default().push(label);
    }
    labels
}

fn unpaired(task: &Task, labels: &BTreeMap<&str, Vec<String>>) -> Option<Objection> {
    let mut own = labels.get(task.pair.as_str()).filter(|_| task.skill == "review")?.clone();
    own.sort();
    match own.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["NO", "YES"] => None,
        [_] => Some(Objection::new("unpaired", "the other task of the pair is not there")),
        _ => Some(Objection::new("unbalanced_pair", format!("labels {own:?}"))),
    }
}

fn duplicate(task: &Task, runs: &BTreeSet<String>, others: &[(&Task, BTreeSet<String>)]) -> Option<Objection> {
    let of_a_pair = |other: &Task| !task.pair.is_empty() && other.pair == task.pair;
    let others = others.iter().filter(|(other, _)| !of_a_pair(other));
    others.into_iter().find_map(|(other, theirs)| {
        let common = runs.intersection(theirs).count() as f64;
        let all = runs.union(theirs).count() as f64;
        if task.prompt == other.prompt {
            Some(Objection::new("duplicate", format!("the same prompt as task {}", other.id)))
        } else if task.family == other.family && solution(task) == solution(other) {
            Some(Objection::new("same_family", format!("the same bug and skill as task {}", other.id)))
        } else {
            (common >= NEAR * all && all > 0.0)
                .then(|| Objection::new("near_duplicate", format!("nearly task {}", other.id)))
        }
    })
}

/// What has to be found or undone: bugs of one family differ where one of them needs a second file.
fn solution(task: &Task) -> (&Value, &Value) {
    (&task.hidden["gold"], &task.hidden["repair"]["buggy"])
}

fn runs(prompt: &str) -> BTreeSet<String> {
    let words: Vec<&str> = prompt.split_whitespace().collect();
    words.windows(RUN).map(|run| run.join(" ")).collect()
}
