//! Proof of concept: a function lacks a guard; what is asked for is input that it should have refused. A composite kind, for evaluation only,
//! in Python.
//!
//! The proof is data. A harness of ours hands it to the pristine vulnerable version and to the pristine guarded one: the property is that the
//! first takes it and the second refuses it as the guard does. A guard refuses by raising something, or by giving `None` or `False`.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{FileChange, InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::Verdict;
use crate::languages::{self, Language};
use crate::record::{BugRecord, TestId};
use crate::task::Task;
use crate::tree::{Tree, TreeId};

mod guard;
mod harness;
#[cfg(test)]
mod tests;

/// Where the proof is handed in.
const PROOF: &str = "poc.json";

/// The composite kind.
pub struct Security;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// The whole tree without the guard, and the files that bring it back.
    vulnerable: TreeId,
    fixed: TreeId,
    /// What is called, `name` or `Class.name`, and the module that it is imported from.
    function: String,
    module: String,
    /// How the guarded version ends: the class of what its guard raises, or `returned None`.
    signature: String,
    /// Arguments that only the guard refuses.
    proof: String,
}

impl Skill for Security {
    fn name(&self) -> &'static str {
        "security"
    }

    fn grader(&self) -> &'static str {
        "security/2"
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn suits_generated(&self) -> bool {
        false
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.name() == "python"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let guard = guard::find(build, record, rng)?;
        let vulnerable = guard::vulnerable(record, &guard);
        let failing = failing(build, record, &vulnerable)?;
        let shown = draft::store(&build.workshop.blobs, &draft::shown(record, &vulnerable, &failing))?;
        let main = record.change.main();
        let text = record.fixed.text(&main.path).unwrap_or_default();
        let mut healthy = Tree::new();
        healthy.insert(main.path.clone(), text);
        let authoring = languages::of_runner(record.tests.runner).authoring();
        let (_, specification) = authoring.map(|it| it.documentation(text, &guard.function)).unwrap_or_default();
        let refusal = match guard.signature.strip_prefix("returned ") {
            Some(value) => format!("by returning `{value}`"),
            None => format!("with `{}`", guard.signature),
        };
        let prompt = include_str!("prompt.md")
            .replace("{function}", &guard.function)
            .replace("{callee}", &guard.callee)
            .replace("{path}", &main.path)
            .replace("{refusal}", &refusal)
            .replace("{specification}", &specification);
        let hidden = Hidden {
            vulnerable: shown.clone(),
            fixed: draft::store(&build.workshop.blobs, &healthy)?,
            function: guard.callee,
            module: draft::module_name(&main.path, &record.tests.import_roots),
            signature: guard.signature,
            proof: guard.proof,
        };
        Ok(vec![draft::task(self, build, record, prompt, shown, &hidden)])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        harness::grade(workshop, task, &hidden, submission)
    }

    fn reference(&self, _: &Workshop, task: &Task) -> Result<Submission, String> {
        let hidden: Hidden = draft::hidden(task)?;
        let files = vec![FileChange { path: PROOF.into(), content: Some(hidden.proof) }];
        Ok(Submission { answer: "Done.".into(), files })
    }

    fn teacher(&self, _: &Workshop, _: &Task, _: f64, _: ChaCha8Rng) -> Result<Teacher, String> {
        Err("nobody teaches how to find such input".to_owned())
    }
}

/// Tests that notice that the guard is missing: they hold input that it refuses.
fn failing(build: &Build, record: &BugRecord, vulnerable: &Tree) -> Result<Vec<TestId>, Rejection> {
    let report = build.workshop.run_suite(&record.tests, vulnerable, record.tests.files.clone());
    let report = report.map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
    if !report.health.believable() {
        return Err(Rejection::new(report.health.code(), report.health.detail()));
    }
    let passing = report.passing();
    let known = record.fail_to_pass.iter().chain(&record.pass_to_pass);
    Ok(known.filter(|id| passing.binary_search(id).is_err()).cloned().collect())
}
