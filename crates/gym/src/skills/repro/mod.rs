//! Issue reproduction: issue and repository in, one script out that exits with 1 where the issue is and with 0 where it is
//! not. Judged on buggy and fixed trees, on rewrites of both and on a fixed tree with another bug, each twice, in fresh sandboxes and
//! shuffled order; at last it has to enter the broken function.

use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Build, Rejection, Skill, Teacher};
use crate::draft;
use crate::episode::{FileChange, InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::marked::marked;
use crate::grade::restate::restated;
use crate::grade::rewrites::rewrites;
use crate::grade::verdict::{Table, Verdict, full, nothing};
use crate::languages::{Language, WORKDIR};
use crate::record::BugRecord;
use crate::task::Task;
use crate::tree::{Tree, TreeId};

mod control;
mod script;
mod teacher;
#[cfg(test)]
mod tests;

use script::{Exit, SCRIPT, run};

/// The skill.
pub struct Repro;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// The whole buggy tree.
    buggy: TreeId,
    /// Files that make the buggy tree healthy, and files that rewrite either side without changing its behaviour.
    fixed: TreeId,
    buggy_rewrite: Option<TreeId>,
    fixed_rewrite: Option<TreeId>,
    /// Files that make the buggy tree healthy but for a bug that the issue has nothing to do with.
    control: Option<TreeId>,
    /// The file of the broken function and its name.
    path: String,
    function: String,
    /// The failing call, what it should give, and the imports that it needs, for the reference and the teacher.
    call: String,
    expected: String,
    imports: String,
}

impl Skill for Repro {
    fn name(&self) -> &'static str {
        "repro"
    }

    fn grader(&self) -> &'static str {
        "repro/2"
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.name() == "python"
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let issue = draft::issue(record, rng)?;
        let imports = script::imports(record, &issue.call)
            .ok_or_else(|| Rejection::new("no_imports", "the failing test has no file"))?;
        let shown = draft::hide_tests(&record.buggy, &record.fail_to_pass);
        let path = &record.mutation.path;
        let blobs = &build.workshop.blobs;
        let patch = |text: &str| {
            let mut tree = Tree::new();
            tree.insert(path.clone(), text);
            draft::store(blobs, &tree)
        };
        let rewrite = |tree: &Tree| {
            let text = tree.text(path)?;
            rewrites(text, &record.mutation.function).into_iter().next()
        };
        let fixed = record.fixed.text(path).ok_or_else(|| Rejection::new("not_text", path.clone()))?;
        let hidden = Hidden {
            buggy: draft::store(blobs, &shown)?,
            fixed: patch(fixed)?,
            buggy_rewrite: rewrite(&record.buggy).map(|text| patch(&text)).transpose()?,
            fixed_rewrite: rewrite(&record.fixed).map(|text| patch(&text)).transpose()?,
            control: control::find(build, record, &issue, &imports, rng)?,
            path: path.clone(),
            function: record.mutation.function.clone(),
            call: issue.call,
            expected: issue.expected,
            imports,
        };
        let prompt = include_str!("prompt.md").replace("{issue}", &issue.text);
        let tree = hidden.buggy.clone();
        Ok(vec![draft::task(self, build, record, prompt, tree, &hidden)])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        let text = match script::submitted(submission) {
            Ok(text) => text,
            Err((code, detail)) => return Ok(nothing(code, detail, Table::new())),
        };
        let read = |id: &TreeId| workshop.blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
        let buggy = read(&hidden.buggy)?;
        let mut runs = Vec::new();
        for (name, patch, expected) in hidden.sides(&buggy, &read)? {
            runs.extend([0, 1].map(|repeat| (format!("{name}#{repeat}"), patch.clone(), expected)));
        }
        // The order is a function of the submission, which cannot contain its own hash.
        let seed = blake3::hash(format!("{}{text}", task.id).as_bytes());
        runs.shuffle(&mut ChaCha8Rng::from_seed(*seed.as_bytes()));
        let mut table = Table::new();
        for (name, patch, expected) in runs {
            let layers: Vec<&Tree> = std::iter::once(&*buggy).chain(patch.as_deref()).collect();
            let exit = run(workshop, &task.context.tests, &layers, text)?;
            table.push((name.clone(), exit.to_string()));
            if exit != expected {
                // A rewrite that the reference takes for another behaviour is none.
                let witness = script::reference(&hidden.imports, &hidden.call, &hidden.expected);
                if name.contains("_rewrite") && run(workshop, &task.context.tests, &layers, &witness)? != expected {
                    table.push((name, "void".to_owned()));
                    continue;
                }
                return Ok(nothing(failure(&name, exit), format!("{name}: {exit}, expected {expected}"), table));
            }
        }
        if let Some(detail) = hidden.misses(workshop, task, &buggy, text)? {
            return Ok(nothing("irrelevant", detail, table));
        }
        Ok(full(table))
    }

    fn reference(&self, _: &Workshop, task: &Task) -> Result<Submission, String> {
        let hidden: Hidden = draft::hidden(task)?;
        let content = script::reference(&hidden.imports, &hidden.call, &hidden.expected);
        Ok(Submission {
            answer: "Done.".into(),
            files: vec![FileChange { path: SCRIPT.into(), content: Some(content) }],
        })
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(workshop, task, &draft::hidden(task)?, diligence, rng)
    }
}

/// One side of the comparison: name, files on top of the buggy tree, and how the script must exit there.
type Side = (&'static str, Option<Arc<Tree>>, Exit);

impl Hidden {
    /// All sides of the comparison.
    fn sides(
        &self,
        tree: &Tree,
        read: &dyn Fn(&TreeId) -> Result<Arc<Tree>, InvalidCause>,
    ) -> Result<Vec<Side>, InvalidCause> {
        let fixed = read(&self.fixed)?;
        let mut buggy = Tree::new();
        fixed.paths().for_each(|path| buggy.insert(path, tree.get(path).unwrap_or_default()));
        // Behind a helper where the function allows it, and in other words where the file does.
        let rewritten = |id: &Option<TreeId>, plain: &Arc<Tree>| {
            let helped = id.as_ref().map(read).transpose()?;
            let reworded = restated(helped.as_deref().unwrap_or(plain)).map(Arc::new);
            Ok::<_, InvalidCause>(reworded.or(helped))
        };
        let rewrites = (rewritten(&self.buggy_rewrite, &Arc::new(buggy))?, rewritten(&self.fixed_rewrite, &fixed)?);
        let mut sides = vec![("buggy", None, Exit::Failure), ("fixed", Some(fixed), Exit::Correct)];
        // One rewrite alone would tell the sides apart by being the only one.
        if let (Some(buggy), Some(fixed)) = rewrites {
            sides.push(("buggy_rewrite", Some(buggy), Exit::Failure));
            sides.push(("fixed_rewrite", Some(fixed), Exit::Correct));
        }
        if let Some(control) = &self.control {
            sides.push(("control", Some(read(control)?), Exit::Correct));
        }
        Ok(sides)
    }

    /// Whether the script tells the sides apart without entering the broken function.
    fn misses(
        &self,
        workshop: &Workshop,
        task: &Task,
        buggy: &Tree,
        text: &str,
    ) -> Result<Option<String>, InvalidCause> {
        // A function of the submission, which cannot contain its own hash.
        let mark = format!(".{}", &blake3::hash(format!("{}{text}", task.id).as_bytes()).to_hex()[..32]);
        let source = buggy.text(&self.path).unwrap_or_default();
        let Some(marked) = marked(source, &self.function, &format!("{WORKDIR}/{mark}")) else { return Ok(None) };
        let mut patch = Tree::new();
        patch.insert(self.path.clone(), marked);
        let enters = script::enters(workshop, &task.context.tests, &[buggy, &patch], text, &mark)?;
        Ok((!enters).then(|| format!("`{}` is not entered", self.function)))
    }
}

fn failure(run: &str, exit: Exit) -> &'static str {
    match exit {
        Exit::Broken | Exit::Killed => "script_broken",
        Exit::TimedOut => "timeout_grade",
        _ if run.contains("_rewrite") => "source_dependent",
        Exit::Correct => "not_reproduced",
        Exit::Failure => "fails_on_fixed",
    }
}
