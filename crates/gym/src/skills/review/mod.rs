//! Code review: issue and candidate change in, a judgment out. Labels are proved by execution, balanced, and come in pairs:
//! one correct and one wrong change of the same issue, in two tasks that are centred together.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::{Table, Verdict, full, nothing};
use crate::issue::Issue;
use crate::languages::python::Selection;
use crate::mutation;
use crate::record::BugRecord;
use crate::task::Task;
use crate::tree::Tree;

mod judgment;
mod teacher;
#[cfg(test)]
mod tests;

use judgment::Judgment;

/// Candidates that are tried until one fails its tests.
const TRIES: usize = 12;

/// The skill.
pub struct Review;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// Whether the change passes all tests.
    label: Judgment,
    /// The file that the change touches.
    path: String,
    /// Tests that the candidate fails; empty when it is correct.
    failing: Vec<String>,
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
        let (wrong, failing) = wrong_candidate(build, record, rng)?;
        let candidates = [(&record.fixed, Judgment::Yes, Vec::new()), (&wrong, Judgment::No, failing)];
        let tasks: Result<Vec<Task>, Rejection> = candidates
            .into_iter()
            .map(|(tree, label, failing)| self.task(build, record, &issue, tree, label, failing))
            .collect();
        let mut tasks = tasks?;
        let pair =
            format!("{}/{}", record.id, blake3::hash(tasks[0].prompt.as_bytes()).to_hex().get(..8).unwrap_or_default());
        for task in &mut tasks {
            task.pair.clone_from(&pair);
            *task = task.clone().sealed();
        }
        Ok(tasks)
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

impl Review {
    fn task(
        &self,
        build: &Build,
        record: &BugRecord,
        issue: &Issue,
        candidate: &Tree,
        label: Judgment,
        failing: Vec<String>,
    ) -> Result<Task, Rejection> {
        let path = &record.mutation.path;
        let (before, after) = (record.buggy.text(path).unwrap_or_default(), candidate.text(path).unwrap_or_default());
        let diff = similar::TextDiff::from_lines(before, after)
            .unified_diff()
            .context_radius(2)
            .header(path, path)
            .to_string();
        let prompt = include_str!("prompt.md").replace("{issue}", &issue.text).replace("{diff}", &diff);
        // The same tests are hidden for both labels, so that the tree does not tell.
        let mut hidden_tests = record.fail_to_pass.clone();
        hidden_tests.extend(failing.iter().cloned());
        let shown = draft::store(&build.workshop.blobs, &draft::hide_tests(candidate, &hidden_tests))?;
        let (call, expected) = (issue.call.clone(), issue.expected.clone());
        let hidden = Hidden { label, path: path.clone(), failing, call, expected };
        Ok(draft::task(self, build, record, prompt, shown, &hidden))
    }
}

/// A change of the same function that fails some test: another edit of the buggy file, as small as the right one.
fn wrong_candidate(build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<(Tree, Vec<String>), Rejection> {
    let path = &record.mutation.path;
    let buggy = record.buggy.text(path).ok_or_else(|| Rejection::new("not_text", path.clone()))?;
    let same_function = |site: &&crate::record::Mutation| site.function == record.mutation.function;
    let mut sites: Vec<_> = mutation::mutations(path, buggy).into_iter().collect();
    sites.retain(|site| same_function(&site));
    sites.shuffle(rng);
    let expected: Vec<_> = record.fail_to_pass.iter().chain(&record.guards).cloned().collect();
    let selection = Selection::tests(&expected).within(record.processor);
    for site in sites.iter().take(TRIES) {
        let mut tree = record.buggy.clone();
        tree.insert(path.clone(), site.apply(buggy));
        if tree == record.fixed {
            continue;
        }
        let report = build
            .workshop
            .run_tests(&record.tests, &[&tree], &selection)
            .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
        let failing: Vec<String> = expected
            .iter()
            .filter(|id| !report.outcomes.get(*id).is_some_and(|outcome| outcome.passed()))
            .cloned()
            .collect();
        if report.health.believable() && !failing.is_empty() {
            return Ok((tree, failing));
        }
    }
    Err(Rejection::new("no_wrong_candidate", "no other edit of the function fails a test"))
}
