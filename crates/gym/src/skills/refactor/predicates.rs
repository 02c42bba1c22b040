//! Whether what was handed in is the refactoring and not something that only looks like it: by its syntax, before anything is run.

use super::Operation;
use crate::episode::Submission;
use crate::grade::policy::sources_only;
use crate::languages::python::references::uses;
use crate::languages::{functions, is_source};
use crate::project::TestSetup;
use crate::tree::Tree;

/// Names with which a module can give what it does not define.
const SHIMS: [&str; 5] = ["__getattr__", "globals", "setattr", "__dict__", "sys.modules"];

/// The first predicate that does not hold, in words. `before` and `after` are the trees without and with the reference.
pub(super) fn broken(
    operation: &Operation,
    before: &Tree,
    after: &Tree,
    submission: &Submission,
    tests: &TestSetup,
) -> Option<String> {
    let allowed = sources_only(&submission.files, tests);
    if allowed.files.is_empty() && allowed.deleted.is_empty() {
        return None;
    }
    let mut handed = before.clone().with(&allowed.files);
    allowed.deleted.iter().for_each(|path| {
        handed.remove(path);
    });
    let Operation { path, old, new } = operation;
    let count = |tree: &Tree, path: &str, name: &str| {
        tree.text(path).map_or(0, |text| functions(path, text).iter().filter(|span| span.name == name).count())
    };
    if count(&handed, path, new) != 1 {
        return Some(format!("`{path}` does not define `{new}` once"));
    }
    for file in handed.paths().filter(|path| is_source(path)) {
        let Some(text) = handed.text(file) else { continue };
        let left = uses(text, old);
        if left.functions + left.others + left.references > 0 {
            return Some(format!("`{old}` still stands in `{file}`"));
        }
        if left.texts > 0 {
            return Some(format!("`{file}` holds the name `{old}` as text"));
        }
        let (known, wanted) = (before.text(file).unwrap_or_default(), after.text(file).unwrap_or_default());
        if let Some(shim) = SHIMS.iter().find(|shim| text.contains(**shim) && !known.contains(**shim)) {
            return Some(format!("`{file}` brings in `{shim}`"));
        }
        // A wrapper or a second copy is a function more.
        let (own, expected) = (functions(file, text).len(), functions(file, wanted).len());
        if own > expected {
            return Some(format!("`{file}` has {own} functions, expected {expected}"));
        }
    }
    None
}
