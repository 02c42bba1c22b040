//! Proof of concept: a function lacks a guard; what is asked for is input that it should have refused. A composite kind, for evaluation only,
//! in Python.
//!
//! The proof is data. A harness of ours hands it to the pristine vulnerable version and to the pristine guarded one: the property is that the
//! first takes it and the second refuses it as the guard does.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{FileChange, InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::Verdict;
use crate::languages::{self, Language};
use crate::record::BugRecord;
use crate::task::Task;
use crate::tree::TreeId;

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
    /// The function and the module that it is imported from.
    function: String,
    module: String,
    /// The class of what the guard raises.
    signature: String,
    /// Arguments that only the guard refuses.
    proof: String,
}

impl Skill for Security {
    fn name(&self) -> &'static str {
        "security"
    }

    fn grader(&self) -> &'static str {
        "security/1"
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

    fn build(&self, build: &Build, record: &BugRecord, _: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let guard = guard::find(build, record)?;
        let shown = draft::store(&build.workshop.blobs, &draft::shown(record, &record.buggy, &record.fail_to_pass))?;
        let main = record.change.main();
        let mut healthy = crate::tree::Tree::new();
        healthy.insert(main.path.clone(), record.fixed.get(&main.path).unwrap_or_default());
        let authoring = languages::of_runner(record.tests.runner).authoring();
        let text = record.fixed.text(&main.path).unwrap_or_default();
        let (_, specification) = authoring.map(|it| it.documentation(text, &main.function)).unwrap_or_default();
        let prompt = include_str!("prompt.md")
            .replace("{function}", &main.function)
            .replace("{path}", &main.path)
            .replace("{signature}", &guard.signature)
            .replace("{specification}", &specification);
        let hidden = Hidden {
            vulnerable: shown.clone(),
            fixed: draft::store(&build.workshop.blobs, &healthy)?,
            function: main.function.clone(),
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
