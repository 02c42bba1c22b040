//! Unit-test generation: a target function and its specification in, test files out. They must pass on the correct code, every
//! time and however it is written, and fail on every buggy variant, in the call of a test that passed on the correct code.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{FileChange, InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::Verdict;
use crate::languages::{self, Authoring, Language, Suite};
use crate::project::TestSetup;
use crate::record::BugRecord;
use crate::task::Task;
use crate::tree::TreeId;

mod grader;
mod teacher;
#[cfg(test)]
mod tests;
mod variants;

/// The skill.
pub struct Testgen;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// The target function and its file.
    function: String,
    path: String,
    /// Where the tests are handed in.
    pub(crate) test_path: String,
    /// Files that rewrite the target without changing its behaviour.
    pub(crate) rewrites: Vec<TreeId>,
    /// Files that make the target wrong, each in its own way.
    pub(crate) variants: Vec<TreeId>,
    /// Calls that together tell the correct code from every variant, and what they give; for the reference and the teacher.
    facts: Vec<(String, String)>,
    /// What the test file of the reference begins with, in languages that need it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    names: String,
}

impl Skill for Testgen {
    fn name(&self) -> &'static str {
        "testgen"
    }

    fn grader(&self) -> &'static str {
        "testgen/2"
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.authoring().is_some()
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let target = variants::Target::of(record)?;
        let chosen = variants::choose(build, record, &target, rng)?;
        let hidden_tests = target.tests_that_mention(record);
        let shown = draft::store(&build.workshop.blobs, &draft::shown(record, &record.fixed, &hidden_tests))?;
        let calls: Vec<String> = chosen.facts.iter().map(|(call, _)| format!("- `{call}`")).collect();
        let prompt = include_str!("prompt.md")
            .replace("{function}", &target.function)
            .replace("{path}", &target.path)
            .replace("{test_path}", &target.test_path)
            .replace("{form}", target.authoring.test_form())
            .replace("{specification}", &target.specification)
            .replace("{calls}", &calls.join("\n"));
        let hidden = Hidden {
            function: target.function.clone(),
            path: target.path.clone(),
            test_path: target.test_path,
            rewrites: chosen.rewrites,
            variants: chosen.variants,
            facts: chosen.facts,
            names: target.names,
        };
        Ok(vec![draft::task(self, build, record, prompt, shown, &hidden)])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        grader::grade(workshop, task, &hidden, submission)
    }

    fn reference(&self, _: &Workshop, task: &Task) -> Result<Submission, String> {
        let hidden: Hidden = draft::hidden(task)?;
        let content = suite(&hidden, authoring(&task.context.tests)?, &task.context.tests);
        Ok(Submission {
            answer: "Done.".into(),
            files: vec![FileChange { path: hidden.test_path, content: Some(content) }],
        })
    }

    fn teacher(&self, _: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(task, &draft::hidden(task)?, diligence, rng)
    }
}

/// How tests are written in the language of a project.
fn authoring(tests: &TestSetup) -> Result<&'static dyn Authoring, String> {
    let language = languages::of_runner(tests.runner);
    language.authoring().ok_or_else(|| format!("no tests are written in {}", language.name()))
}

/// One assertion per fact.
fn suite(hidden: &Hidden, authoring: &dyn Authoring, tests: &TestSetup) -> String {
    let Hidden { path, function, names, facts, .. } = hidden;
    authoring.suite(&Suite { tests, path, function, names, facts })
}
