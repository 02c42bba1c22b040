//! What was handed in beside what there was and what there should be: what every kind of refactoring asks of its syntax, before anything is
//! run.

use crate::episode::Submission;
use crate::grade::policy::sources_only;
use crate::languages::{functions, is_source};
use crate::project::TestSetup;
use crate::tree::Tree;

/// Names with which a module can give what it does not define.
const SHIMS: [&str; 5] = ["__getattr__", "globals", "setattr", "__dict__", "sys.modules"];

/// A tree that was handed in, between the tree without and the one with the reference.
pub(super) struct Handed<'a> {
    pub(super) before: &'a Tree,
    pub(super) after: &'a Tree,
    pub(super) tree: Tree,
    /// Where imports begin.
    pub(super) roots: &'a [String],
}

impl<'a> Handed<'a> {
    /// `None` when nothing was changed that may be.
    pub(super) fn of(before: &'a Tree, after: &'a Tree, submission: &Submission, tests: &'a TestSetup) -> Option<Self> {
        let allowed = sources_only(&submission.files, tests);
        if allowed.files.is_empty() && allowed.deleted.is_empty() {
            return None;
        }
        let mut tree = before.clone().with(&allowed.files);
        allowed.deleted.iter().for_each(|path| {
            tree.remove(path);
        });
        Some(Self { before, after, tree, roots: &tests.import_roots })
    }

    /// Source files and their texts.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tree.paths().filter(|path| is_source(path)).filter_map(|path| Some((path, self.tree.text(path)?)))
    }

    /// So many functions of a file have this name.
    pub(super) fn count(&self, path: &str, name: &str) -> usize {
        let text = self.tree.text(path).unwrap_or_default();
        functions(path, text).iter().filter(|span| span.name == name).count()
    }

    /// What no refactoring needs: modules that make up names, and functions beyond those of the reference, which are wrappers or second
    /// copies.
    pub(super) fn has_more(&self) -> Option<String> {
        for (file, text) in self.sources() {
            let (known, wanted) =
                (self.before.text(file).unwrap_or_default(), self.after.text(file).unwrap_or_default());
            if let Some(shim) = SHIMS.iter().find(|shim| text.contains(**shim) && !known.contains(**shim)) {
                return Some(format!("`{file}` brings in `{shim}`"));
            }
            let (own, expected) = (functions(file, text).len(), functions(file, wanted).len());
            if own > expected {
                return Some(format!("`{file}` has {own} functions, expected {expected}"));
            }
        }
        None
    }
}

/// All files in Python, tests included.
pub(super) fn texts(tree: &Tree) -> Vec<(&str, &str)> {
    tree.paths().filter(|path| path.ends_with(".py")).filter_map(|path| Some((path, tree.text(path)?))).collect()
}
