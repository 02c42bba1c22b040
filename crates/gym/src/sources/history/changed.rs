//! The tests that a commit changed, on the healthy tree, on the buggy one, and before the commit.

use std::collections::BTreeMap;

use crate::languages::{Anatomy, Class, Language};
use crate::project::{Project, is_conftest};
use crate::record::TestId;
use crate::sources::git::Commit;
use crate::tree::Tree;

/// Files with changed tests on three trees.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) after: Tree,
    pub(super) buggy: Tree,
    pub(super) before: Tree,
}

/// The files whose tests changed, without the tests that were left alone; whole files where only what tests use was changed, or where
/// they do not stand alone.
pub(super) fn changed_tests(
    language: &dyn Language,
    commit: &Commit,
    (project, buggy, base): (&Project, &Tree, &Tree),
) -> Changes {
    let anatomy = language.anatomy();
    let mut changes = Changes::default();
    let changed = commit.changes.iter().filter_map(|changed| changed.path.as_deref());
    for path in changed.filter(|path| !is_conftest(path) && project.tests.files.iter().any(|file| file == path)) {
        let (Some(new), old) = (project.tree.text(path), base.text(path).unwrap_or_default()) else { continue };
        // What is for tests only is no code of a file, even if there is nothing else in it.
        let same_tests_inside = anatomy.inner_tests(old) == anatomy.inner_tests(new);
        let is_same = same_tests_inside && (anatomy.class(path) == Class::Source || anatomy.same_code(path, old, new));
        if is_same {
            continue;
        }
        let without = |text: &str| stripped(language, text, &same_tests(anatomy, path, old, new));
        changes.after.insert(path, without(new));
        changes.buggy.insert(path, without(buggy.text(path).unwrap_or(new)));
        if !anatomy.tests(old).is_empty() {
            changes.before.insert(path, without(old));
        }
    }
    changes
}

/// The tests of a file that are the same on both sides.
fn same_tests(anatomy: &dyn Anatomy, path: &str, old: &str, new: &str) -> Vec<TestId> {
    let known: BTreeMap<String, &str> = anatomy.tests(old).into_iter().collect();
    let new = anatomy.tests(new).into_iter();
    new.filter(|(name, body)| known.get(name) == Some(body)).map(|(name, _)| format!("{path}::{name}")).collect()
}

fn stripped(language: &dyn Language, text: &str, tests: &[TestId]) -> String {
    let left = language.anatomy().tests_stand_alone().then(|| language.remove_tests(text, tests)).flatten();
    left.unwrap_or_else(|| text.to_owned())
}
