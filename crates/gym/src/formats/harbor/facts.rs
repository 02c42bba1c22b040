//! What the verifier of an exported task is told, and the trees that it needs.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::draft;
use crate::grade::Workshop;
use crate::grade::repair::Repair;
use crate::languages;
use crate::project::RunnerKind;
use crate::skills::{bugfix, edit, localize, repro, review, testgen};
use crate::task::Task;
use crate::tree::{Tree, TreeId};

/// The hidden side of an exported task.
pub(super) struct Facts {
    /// `facts.json`.
    pub(super) facts: Value,
    /// Trees by the names that the facts use; `base` is the one that all runs start from.
    pub(super) trees: Vec<(String, Arc<Tree>)>,
    /// Whether the agent answers with a text instead of files.
    pub(super) answers: bool,
}

/// The facts of a task, or why no verifier outside of Basis can grade it.
pub(super) fn of(workshop: &Workshop, task: &Task) -> Result<Facts, String> {
    match task.skill.as_str() {
        "edit" => of_repair(workshop, task, &draft::hidden::<edit::Hidden>(task)?.repair),
        "bugfix" => of_repair(workshop, task, &draft::hidden::<bugfix::Hidden>(task)?.repair),
        "localize" => {
            let hidden: localize::Hidden = draft::hidden(task)?;
            Ok(answered(json!({"kind": "answer", "gold": hidden.gold})))
        }
        "review" => {
            let hidden: review::Hidden = draft::hidden(task)?;
            Ok(answered(json!({"kind": "judgment", "label": hidden.label, "path": hidden.path})))
        }
        "repro" => of_script(workshop, task),
        "testgen" => of_suite(workshop, task),
        other => Err(format!("there is no verifier for `{other}` outside of Basis")),
    }
}

fn answered(facts: Value) -> Facts {
    Facts { facts, trees: Vec::new(), answers: true }
}

fn of_repair(workshop: &Workshop, task: &Task, repair: &Repair) -> Result<Facts, String> {
    let shown = tree(workshop, &task.context.tree)?;
    let mut facts = runs(task)?;
    facts["kind"] = json!("repair");
    facts["test_files"] = json!(task.context.tests.files);
    facts["shown"] = json!(shown.paths().collect::<Vec<_>>());
    facts["fail_to_pass"] = json!(repair.fail_to_pass);
    facts["pass_to_pass"] = json!(repair.pass_to_pass);
    Ok(Facts { facts, trees: vec![("base".to_owned(), tree(workshop, &repair.buggy)?)], answers: false })
}

fn of_script(workshop: &Workshop, task: &Task) -> Result<Facts, String> {
    let hidden: repro::Hidden = draft::hidden(task)?;
    let mut facts = runs(task)?;
    let mut trees = vec![("base".to_owned(), tree(workshop, &hidden.buggy)?)];
    let mut sides = vec![json!({"name": "broken", "patch": null, "status": 1})];
    let patches = [
        ("healthy", Some(&hidden.fixed), 0),
        ("rewritten broken", hidden.buggy_rewrite.as_ref(), 1),
        ("rewritten healthy", hidden.fixed_rewrite.as_ref(), 0),
        ("otherwise broken", hidden.control.as_ref(), 0),
    ];
    for (name, id, status) in patches {
        let Some(id) = id else { continue };
        let patch = name.replace(' ', "_");
        trees.push((patch.clone(), tree(workshop, id)?));
        sides.push(json!({"name": name, "patch": patch, "status": status}));
    }
    facts["kind"] = json!("script");
    facts["sides"] = json!(sides);
    Ok(Facts { facts, trees, answers: false })
}

fn of_suite(workshop: &Workshop, task: &Task) -> Result<Facts, String> {
    let hidden: testgen::Hidden = draft::hidden(task)?;
    let mut facts = runs(task)?;
    let mut trees = vec![("base".to_owned(), tree(workshop, &task.context.tree)?)];
    let mut named = |kind: &str, ids: &[TreeId]| -> Result<Vec<String>, String> {
        let name = |(at, id): (usize, &TreeId)| {
            let name = format!("{kind}_{at}");
            trees.push((name.clone(), tree(workshop, id)?));
            Ok(name)
        };
        ids.iter().enumerate().map(name).collect()
    };
    facts["kind"] = json!("suite");
    facts["test_path"] = json!(hidden.test_path);
    facts["rewrites"] = json!(named("rewrite", &hidden.rewrites)?);
    facts["variants"] = json!(named("variant", &hidden.variants)?);
    Ok(Facts { facts, trees, answers: false })
}

/// How tests and scripts are run.
fn runs(task: &Task) -> Result<Value, String> {
    let tests = &task.context.tests;
    let runner = match tests.runner {
        RunnerKind::Plain => "plain",
        RunnerKind::Pytest => "reporter",
        other => {
            let language = languages::of_runner(other).name();
            return Err(format!("its verifier would run {language}; only tasks in Python are written with one"));
        }
    };
    Ok(json!({"runner": runner, "import_roots": tests.import_roots, "conftest": u8::from(tests.has_conftest())}))
}

fn tree(workshop: &Workshop, id: &TreeId) -> Result<Arc<Tree>, String> {
    workshop.blobs.tree(id).map_err(|error| error.to_string())
}
