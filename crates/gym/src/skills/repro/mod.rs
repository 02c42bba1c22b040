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
use crate::grade::verdict::{Table, Verdict, full, nothing};
use crate::languages::{Authoring, Language, WORKDIR, restated, with_idle};
use crate::record::BugRecord;
use crate::task::Task;
use crate::tree::{Tree, TreeId};

mod control;
mod script;
mod teacher;
#[cfg(test)]
mod tests;

use script::{Exit, authoring, run};

/// The skill.
pub struct Repro;

/// What only the grader knows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hidden {
    /// The whole buggy tree.
    pub(crate) buggy: TreeId,
    /// Files that make the buggy tree healthy, and files that rewrite either side without changing its behaviour.
    pub(crate) fixed: TreeId,
    pub(crate) buggy_rewrite: Option<TreeId>,
    pub(crate) fixed_rewrite: Option<TreeId>,
    /// Files that make the buggy tree healthy but for a bug that the issue has nothing to do with.
    pub(crate) control: Option<TreeId>,
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
        "repro/3"
    }

    fn speaks(&self, language: &dyn Language) -> bool {
        language.authoring().is_some()
    }

    fn build(&self, build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Vec<Task>, Rejection> {
        let issue = draft::issue(record, rng)?;
        let authoring = authoring(&record.tests).map_err(|reason| Rejection::new("language", reason))?;
        let imports = script::imports(record, authoring, &issue)
            .ok_or_else(|| Rejection::new("no_imports", "a script cannot use the names of the failing test"))?;
        let shown = draft::shown(record, &record.buggy, &record.fail_to_pass);
        let path = &record.change.main().path;
        let blobs = &build.workshop.blobs;
        let patch = |text: &str| {
            let mut tree = Tree::new();
            tree.insert(path.clone(), text);
            draft::store(blobs, &tree)
        };
        let rewrite = |tree: &Tree| {
            let text = tree.text(path)?;
            authoring.rewrites(text, &record.change.main().function).into_iter().next()
        };
        let fixed = record.fixed.text(path).ok_or_else(|| Rejection::new("not_text", path.clone()))?;
        let hidden = Hidden {
            buggy: draft::store(blobs, &shown)?,
            fixed: patch(fixed)?,
            buggy_rewrite: rewrite(&record.buggy).map(|text| patch(&text)).transpose()?,
            fixed_rewrite: rewrite(&record.fixed).map(|text| patch(&text)).transpose()?,
            control: control::find(build, record, &issue, (authoring, &imports), rng)?,
            path: path.clone(),
            function: record.change.main().function.clone(),
            call: issue.call,
            expected: issue.expected,
            imports,
        };
        let prompt = include_str!("prompt.md")
            .replace("{script}", authoring.script_path())
            .replace("{form}", authoring.script_form())
            .replace("{issue}", &issue.text);
        let tree = hidden.buggy.clone();
        Ok(vec![draft::task(self, build, record, prompt, tree, &hidden)])
    }

    fn grade(&self, workshop: &Workshop, task: &Task, submission: &Submission) -> Verdict {
        let hidden: Hidden = draft::hidden(task).map_err(InvalidCause::Task)?;
        let authoring = authoring(&task.context.tests).map_err(InvalidCause::Task)?;
        let text = match script::submitted(submission, authoring.script_path()) {
            Ok(text) => text,
            Err((code, detail)) => return Ok(nothing(code, detail, Table::new())),
        };
        let read = |id: &TreeId| workshop.blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
        let buggy = read(&hidden.buggy)?;
        let mut runs = Vec::new();
        for (name, patch, expected) in hidden.sides(authoring, &buggy, &read)? {
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
                let witness = hidden.reference(authoring);
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
        let authoring = authoring(&task.context.tests)?;
        let (path, content) = (authoring.script_path().to_owned(), Some(hidden.reference(authoring)));
        Ok(Submission { answer: "Done.".into(), files: vec![FileChange { path, content }] })
    }

    fn teacher(&self, workshop: &Workshop, task: &Task, diligence: f64, rng: ChaCha8Rng) -> Result<Teacher, String> {
        teacher::teacher(workshop, task, &draft::hidden(task)?, diligence, rng)
    }
}

/// One side of the comparison: name, files on top of the buggy tree, and how the script must exit there.
type Side = (&'static str, Option<Arc<Tree>>, Exit);

impl Hidden {
    /// The script that compares the call with its value.
    fn reference(&self, authoring: &dyn Authoring) -> String {
        authoring.script(&self.imports, &self.call, &self.expected)
    }

    /// All sides of the comparison.
    fn sides(
        &self,
        authoring: &dyn Authoring,
        tree: &Tree,
        read: &dyn Fn(&TreeId) -> Result<Arc<Tree>, InvalidCause>,
    ) -> Result<Vec<Side>, InvalidCause> {
        let fixed = read(&self.fixed)?;
        let mut buggy = Tree::new();
        fixed.paths().for_each(|path| buggy.insert(path, tree.get(path).unwrap_or_default()));
        // Behind a helper where the function allows it, and in other words where the file does; each with the function of the other
        // side, which nobody calls, so that what stands in the file does not tell.
        let rewritten = |id: &Option<TreeId>, plain: &Arc<Tree>, other: &Arc<Tree>| {
            let helped = id.as_ref().map(read).transpose()?;
            let both = with_idle(authoring, helped.as_deref().unwrap_or(plain), other, &self.path, &self.function);
            let reworded = restated(authoring, &both);
            Ok::<_, InvalidCause>(reworded.or(helped.map(|_| both)).map(Arc::new))
        };
        let plain = Arc::new(buggy);
        let rewrites =
            (rewritten(&self.buggy_rewrite, &plain, &fixed)?, rewritten(&self.fixed_rewrite, &fixed, &plain)?);
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
        let authoring = authoring(&task.context.tests).map_err(InvalidCause::Task)?;
        let place = format!("{WORKDIR}/{mark}");
        let Some(marked) = authoring.marked(source, &self.function, &place) else { return Ok(None) };
        let mut patch = Tree::new();
        patch.insert(self.path.clone(), marked);
        let enters = |text: &str| script::enters(workshop, &task.context.tests, &[buggy, &patch], text, &mark);
        // Where not even the reference leaves a mark, none says anything.
        let misses = !enters(text)? && enters(&self.reference(authoring))?;
        Ok(misses.then(|| format!("`{}` is not entered", self.function)))
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
