//! Code localization: issue and repository in, the exact set of files to change out. Reward +1 or −1, no partial credit.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{InvalidCause, Score, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::Verdict;
use crate::languages;
use crate::record::BugRecord;
use crate::task::Task;

mod answer;
mod teacher;
#[cfg(test)]
mod tests;

/// The skill.
pub struct Localize;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// Files that the gold change touches; reverting any of them alone brings a failing test back.
    pub(crate) gold: BTreeSet<String>,
    /// The failing call, for the teacher.
    call: String,
}

impl Skill for Localize {
    fn name(&self) -> &'static str {
        "localize"
    }

    fn grader(&self) -> &'static str {
        "localize/1"
    }

    fn least_reward(&self) -> f64 {
        -1.0
    }

    fn takes_several_files(&self) -> bool {
        true
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let issue = draft::complaint(record, rng)?;
        let gold = record.change.paths();
        if let Some(path) = gold.difference(&record.change.necessary).next() {
            return Err(Rejection::new("not_necessary", format!("every symptom goes without a change of `{path}`")));
        }
        let names = gold.iter().map(|path| path.rsplit('/').next().unwrap_or(path));
        if let Some(name) = names.into_iter().find(|name| issue.text.contains(*name)) {
            return Err(Rejection::new("leak", format!("the issue names `{name}`")));
        }
        let language = languages::of_runner(record.tests.runner);
        if record.buggy.paths().filter(|path| language.is_source(path)).all(|path| gold.contains(path)) {
            return Err(Rejection::new("nothing_to_find", "there is no other source file"));
        }
        let shown = draft::store(&build.workshop.blobs, &draft::shown(record, &record.buggy, &record.fail_to_pass))?;
        let prompt = include_str!("prompt.md").replace("{issue}", &issue.text);
        let hidden = Hidden { gold, call: issue.call };
        Ok(vec![draft::task(self, build, record, prompt, shown, &hidden)])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        let tree = workshop.blobs.tree(&task.context.tree).map_err(|error| InvalidCause::Task(error.to_string()))?;
        Ok(judge(&hidden.gold, answer::parse(&submission.answer, |path| tree.contains(path))))
    }

    fn reference(&self, _: &Workshop, task: &Task) -> Result<Submission, String> {
        let hidden: Hidden = draft::hidden(task)?;
        let answer = hidden.gold.into_iter().collect::<Vec<_>>().join("\n");
        Ok(Submission { answer, files: Vec::new() })
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(workshop, task, &draft::hidden(task)?, diligence, rng)
    }
}

fn judge(gold: &BTreeSet<String>, answer: Result<BTreeSet<String>, answer::Refusal>) -> Score {
    let fail = |code: &str, detail: String| Score { reward: -1.0, code: code.into(), detail, table: Vec::new() };
    match answer {
        Err(refusal) => fail(refusal.code, refusal.detail),
        Ok(answer) if answer == *gold => {
            Score { reward: 1.0, code: "ok".into(), detail: String::new(), table: Vec::new() }
        }
        Ok(answer) => {
            let code = match (gold.is_subset(&answer), answer.is_subset(gold)) {
                (true, _) => "wrong_set.over",
                (_, true) => "wrong_set.under",
                _ => "wrong_set.both",
            };
            fail(code, format!("answered {answer:?}"))
        }
    }
}
