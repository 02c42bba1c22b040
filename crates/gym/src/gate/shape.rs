//! Whether a task is whole, and whether its hidden facts fit together. Nothing is run.

use super::examine::{Objection, Subject};
use super::facts::Facts;
use crate::languages;
use crate::skills;
use crate::task::SCHEMA_VERSION;

/// Fewer wrong versions say too little about a suite.
const FEWEST_VARIANTS: usize = 3;

pub(super) fn whole(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let task = subject.task;
    if task.schema_version > SCHEMA_VERSION {
        return Err(Objection::new("schema", format!("version {}, at most {SCHEMA_VERSION}", task.schema_version)));
    }
    let skill =
        skills::find(&task.skill).ok_or_else(|| Objection::new("skill", format!("unknown `{}`", task.skill)))?;
    if task.grader != skill.grader() {
        return Err(Objection::new("grader", format!("made for `{}`, this is `{}`", task.grader, skill.grader())));
    }
    if task.clone().sealed().id != task.id {
        return Err(Objection::new("id", "the content does not have the hash that the id states"));
    }
    let tree = subject.workshop.blobs.tree(&task.context.tree);
    tree.map_err(|error| Objection::new("tree", error.to_string()))?;
    skill.reference(subject.workshop, task).map(drop).map_err(|reason| Objection::new("hidden", reason))
}

pub(super) fn consistent(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let facts = Facts::of(subject.task).map_err(|reason| Objection::new("hidden", reason))?;
    let language = languages::of_runner(subject.task.context.tests.runner);
    if let Some(gold) = &facts.gold {
        if gold.is_empty() {
            return Err(Objection::new("no_gold", "there is no file to find"));
        }
        if let Some(path) = gold.iter().find(|path| language.is_protected(path)) {
            return Err(Objection::new("gold_is_protected", format!("`{path}` is a test or configuration")));
        }
    }
    if let Some(repair) = &facts.repair {
        for (tests, code) in [(&repair.fail_to_pass, "no_fail_to_pass"), (&repair.pass_to_pass, "no_pass_to_pass")] {
            let is_shown = code == "no_fail_to_pass" && facts.using.as_ref().is_some_and(|tests| !tests.is_empty());
            if tests.is_empty() && !is_shown {
                return Err(Objection::new(code, "there is no such test"));
            }
        }
        if let Some(id) = repair.fail_to_pass.iter().find(|id| repair.pass_to_pass.contains(id)) {
            return Err(Objection::new("test_on_both_sides", format!("`{id}` must fail before and must not")));
        }
    }
    if let Some(variants) = &facts.variants {
        if variants.len() < FEWEST_VARIANTS {
            return Err(Objection::new(
                "few_variants",
                format!("{} variants, at least {FEWEST_VARIANTS}", variants.len()),
            ));
        }
        let unique: std::collections::BTreeSet<_> = variants.iter().collect();
        if unique.len() < variants.len() {
            return Err(Objection::new("duplicate_variant", "two variants are the same"));
        }
    }
    match (facts.label.as_deref(), facts.failing.as_deref()) {
        (Some("YES"), Some([id, ..])) => Err(Objection::new("label", format!("YES, but `{id}` fails"))),
        (Some("NO"), Some([])) => Err(Objection::new("label", "NO, but no test fails")),
        _ => Ok(()),
    }
}
