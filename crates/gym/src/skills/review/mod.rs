//! Code review: issue and candidate change in, a judgment out. Labels are proved by tests and by probes, balanced, and come in pairs:
//! one correct and one wrong change of the same issue, in two tasks that are centred together.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::{Table, Verdict, full, nothing};
use crate::issue::Issue;
use crate::record::BugRecord;
use crate::task::Task;
use crate::tree::Tree;

mod attempts;
mod candidates;
mod judgment;
mod strength;
mod teacher;
#[cfg(test)]
mod tests;

pub use attempts::tasks_from_attempts;

use candidates::Pair;
use judgment::Judgment;

/// The skill.
pub struct Review;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// Whether the change passes all tests and all probes.
    pub(crate) label: Judgment,
    /// The file that the change touches.
    pub(crate) path: String,
    /// Tests that the candidate fails; empty when it is correct.
    failing: Vec<String>,
    /// Calls and what they give in healthy code: a right change gives the same, a wrong one does not. Empty where the function
    /// needs more than literals.
    #[serde(default)]
    probes: Vec<(String, String)>,
    /// Whether the right change of the pair is the healthy code in other words, and the wrong one a mistake in those.
    #[serde(default)]
    reworded: bool,
    /// The share of mistakes in the function that tests and probes notice, where they have to prove that other words mean the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mutation_score: Option<f64>,
    /// The failing call and what it should give, for the teacher.
    call: String,
    expected: String,
}

impl Skill for Review {
    fn name(&self) -> &'static str {
        "review"
    }

    fn grader(&self) -> &'static str {
        "review/1"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let issue = draft::issue(record, rng)?;
        let pair = candidates::choose(build, record, &issue, rng)?;
        // The same tests are hidden for both labels, so that the tree does not tell.
        let mut hidden_tests = record.fail_to_pass.clone();
        hidden_tests.extend(pair.failing.iter().cloned());
        tasks(build, record, &issue, &pair, &|tree| draft::shown(record, tree, &hidden_tests))
    }

    fn grade(&self, _: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        Ok(match judgment::parse(&submission.answer, &hidden.path) {
            Err((code, detail)) => nothing(code, detail, Table::new()),
            Ok(found) if found == hidden.label => full(Table::new()),
            Ok(Judgment::Yes) => nothing("false_accept", "the change fails its tests", Table::new()),
            Ok(Judgment::No) => nothing("false_reject", "the change passes its tests", Table::new()),
        })
    }

    fn reference(&self, _: &Workshop, task: &Task) -> Result<Submission, String> {
        let hidden: Hidden = draft::hidden(task)?;
        Ok(Submission { answer: judgment::write(&hidden.path, hidden.label), files: Vec::new() })
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(workshop, task, draft::hidden(task)?, diligence, rng)
    }
}

/// The two tasks of a pair; `shown` says what a reviewer sees of a tree.
fn tasks(
    build: &Build,
    record: &BugRecord,
    issue: &Issue,
    pair: &Pair,
    shown: &dyn Fn(&Tree) -> Tree,
) -> Result<Vec<Task>, Rejection> {
    let sides = [(&pair.right, Judgment::Yes, Vec::new()), (&pair.wrong, Judgment::No, pair.failing.clone())];
    let made: Result<Vec<Task>, Rejection> = sides
        .into_iter()
        .map(|(tree, label, failing)| {
            let path = record.change.main().path.clone();
            let (call, expected) = (issue.call.clone(), issue.expected.clone());
            let (probes, mutation_score) = (pair.probes.clone(), pair.reworded);
            let reworded = mutation_score.is_some();
            let hidden = Hidden { label, path, failing, probes, reworded, mutation_score, call, expected };
            task(build, record, &issue.text, &shown(tree), &hidden)
        })
        .collect();
    let mut tasks = made?;
    let pair =
        format!("{}/{}", record.id, blake3::hash(tasks[0].prompt.as_bytes()).to_hex().get(..8).unwrap_or_default());
    for task in &mut tasks {
        task.pair.clone_from(&pair);
        *task = task.clone().sealed();
    }
    Ok(tasks)
}

fn task(build: &Build, record: &BugRecord, issue: &str, shown: &Tree, hidden: &Hidden) -> Result<Task, Rejection> {
    let path = &hidden.path;
    let (before, after) = (record.buggy.text(path).unwrap_or_default(), shown.text(path).unwrap_or_default());
    let diff = diff(path, before, after);
    let prompt = include_str!("prompt.md").replace("{issue}", issue).replace("{diff}", &diff);
    let shown = draft::store(&build.workshop.blobs, shown)?;
    Ok(draft::task(&Review, build, record, prompt, shown, hidden))
}

/// The change as reviewers see it: no dates, no hashes, the same context for all.
fn diff(path: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after).unified_diff().context_radius(2).header(path, path).to_string()
}
