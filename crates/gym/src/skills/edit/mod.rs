//! Code editing: code and an explicit instruction in, a changed tree out. Hidden tests decide: every fail-to-pass and
//! pass-to-pass test must pass.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::Submission;
use crate::grade::Workshop;
use crate::grade::repair::{self, Repair};
use crate::grade::verdict::Verdict;
use crate::instruction;
use crate::issue;
use crate::languages::{FunctionSpan, functions};
use crate::record::BugRecord;
use crate::task::Task;

mod teacher;
#[cfg(test)]
mod tests;

/// The skill.
pub struct Edit;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    pub(crate) repair: Repair,
    /// The contract's example, for the teacher's check.
    call: String,
    expected: String,
}

impl Skill for Edit {
    fn name(&self) -> &'static str {
        "edit"
    }

    fn grader(&self) -> &'static str {
        "edit/2"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let repair = Repair::of(build.workshop, record)?;
        let path = &record.change.main().path;
        let (buggy, fixed) = (text(record.buggy.text(path))?, text(record.fixed.text(path))?);
        let sentence = instruction::write(&record.change.main().function, buggy, fixed, rng)
            .map(|sentence| record.words.instruction.clone().unwrap_or(sentence))
            .or_else(|| record.report.clone())
            .ok_or_else(|| Rejection::new("no_instruction", "the change does not fit a sentence"))?;
        let issue = draft::issue(record, rng)?;
        let prompt = include_str!("prompt.md")
            .replace("{instruction}", &sentence)
            .replace("{call}", &issue.call)
            .replace("{expected}", &issue.expected)
            .replace("{set_up}", &issue::shown(&issue.set_up))
            .replace("{path}", path)
            .replace("{context}", &context(buggy, record)?);
        let shown = draft::store(&build.workshop.blobs, &draft::shown(record, &record.buggy, &record.fail_to_pass))?;
        let hidden = Hidden { repair, call: issue.call, expected: issue.expected };
        Ok(vec![draft::task(self, build, record, prompt, shown, &hidden)])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        repair::grade(workshop, task, &read(task)?.repair, submission)
    }

    fn reference(&self, workshop: &Workshop, task: &Task) -> Result<Submission, String> {
        draft::hidden::<Hidden>(task)?.repair.reference(workshop)
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(workshop, &draft::hidden(task)?, diligence, rng)
    }
}

fn read(task: &Task) -> Result<Hidden, crate::episode::InvalidCause> {
    draft::hidden(task).map_err(crate::episode::InvalidCause::Task)
}

fn text(source: Option<&str>) -> Result<&str, Rejection> {
    source.ok_or_else(|| Rejection::new("not_text", "the changed file is not UTF-8"))
}

/// The functions that the change is in, as they stand in the buggy file.
fn context(buggy: &str, record: &BugRecord) -> Result<String, Rejection> {
    let spans = functions(&record.change.main().path, buggy);
    let mut bodies: Vec<&str> = Vec::new();
    for place in &record.change.places {
        let name = place.function.rsplit('.').next().unwrap_or_default();
        let around = |span: &&FunctionSpan| span.name == name && span.start <= place.start && place.start <= span.end;
        // Further edits before it move a function.
        let named = |span: &&FunctionSpan| span.qualified() == place.function;
        let found = spans.iter().find(around).or_else(|| spans.iter().find(named));
        let body = found.map(|span| buggy[span.start..span.end].trim_end());
        bodies.extend(body.filter(|body| !bodies.contains(body)));
    }
    let text = bodies.join("\n\n");
    match text.is_empty() || text.len() > 6_000 {
        true => Err(Rejection::new("no_context", "the changed functions were not found or are too long")),
        false => Ok(text),
    }
}
