//! Code review: issue and candidate change in, a judgment out. Labels are proved by execution, balanced, and come in pairs:
//! one correct and one wrong change of the same issue, in two tasks that are centred together.

use std::collections::BTreeSet;

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
use crate::surface;
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
        let (wrong, failing) = wrong_candidate(build, record, &issue, rng)?;
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
        let path = &record.change.main().path;
        let (before, after) = (record.buggy.text(path).unwrap_or_default(), candidate.text(path).unwrap_or_default());
        let diff = diff(path, before, after);
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

/// A change of the same function that fails some test, looks as much like the right one as there is, and rather does not help the
/// issue: another mistake in the buggy function, or one in the healthy function.
fn wrong_candidate(
    build: &Build,
    record: &BugRecord,
    issue: &Issue,
    rng: &mut ChaCha8Rng,
) -> Result<(Tree, Vec<String>), Rejection> {
    let expected: Vec<_> = record.fail_to_pass.iter().chain(&record.guards).cloned().collect();
    let selection = Selection::tests(&expected).within(record.processor);
    let complaint = record.symptoms.iter().find(|symptom| symptom.call.as_deref() == Some(&issue.call));
    let mut found = None;
    for text in alike(record, rng)?.into_iter().take(TRIES) {
        let mut tree = record.buggy.clone();
        tree.insert(record.change.main().path.clone(), text);
        let report = build
            .workshop
            .run_tests(&record.tests, &[&tree], &selection)
            .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
        let failing: Vec<String> = expected
            .iter()
            .filter(|id| !report.outcomes.get(*id).is_some_and(|outcome| outcome.passed()))
            .cloned()
            .collect();
        if !report.health.believable() || failing.is_empty() {
            continue;
        }
        if complaint.is_none_or(|symptom| failing.contains(&symptom.test)) {
            return Ok((tree, failing));
        }
        found.get_or_insert((tree, failing));
    }
    found.ok_or_else(|| Rejection::new("no_wrong_candidate", "no other edit of the function fails a test"))
}

/// The file with other changes of the broken function, those first that look most like the right one.
fn alike(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<String>, Rejection> {
    let path = &record.change.main().path;
    let text = |tree: &Tree| tree.text(path).map(str::to_owned).ok_or_else(|| Rejection::new("not_text", path.clone()));
    let (buggy, fixed) = (text(&record.buggy)?, text(&record.fixed)?);
    let mistakes = |text: &str| {
        let own =
            mutation::mutations(path, text).into_iter().filter(|site| site.function == record.change.main().function);
        own.map(|site| site.apply(text)).collect::<Vec<_>>()
    };
    let mut texts: Vec<String> = mistakes(&buggy).into_iter().chain(mistakes(&fixed)).collect();
    let mut known = BTreeSet::from([buggy.clone(), fixed.clone()]);
    texts.retain(|text| known.insert(text.clone()));
    // Chance decides among those that look alike.
    texts.shuffle(rng);
    let right = surface::of(&diff(path, &buggy, &fixed));
    let mut ranked: Vec<(f64, String)> = texts
        .into_iter()
        .map(|text| (surface::distance(&right, &surface::of(&diff(path, &buggy, &text))), text))
        .collect();
    ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
    Ok(ranked.into_iter().map(|(_, text)| text).collect())
}

/// The change as reviewers see it: no dates, no hashes, the same context for all.
fn diff(path: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after).unified_diff().context_radius(2).header(path, path).to_string()
}
