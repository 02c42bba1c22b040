//! A function gets another module: the sources take it from there, or, where others reach it as a part of its old module, that module does.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Rejection;
use super::predicates::{Handed, texts};
use crate::languages::python::authoring::module_name;
use crate::languages::python::imports::{from_imports, redirected};
use crate::languages::python::references::uses;
use crate::languages::python::relocation::{self, Leaving};
use crate::record::BugRecord;
use crate::tree::Tree;

/// What a new module may be called.
const STEMS: [&str; 6] = ["helpers", "tools", "parts", "common", "basics", "support"];

/// The function, its module and the new one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// The file of the function.
    path: String,
    /// Its name, which stays.
    pub(super) name: String,
    /// The file that it shall be in, which is new.
    pub(super) to: String,
    /// Whether the old module goes on giving it.
    stays_reachable: bool,
}

impl Move {
    pub(super) fn choose(record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Self, Rejection> {
        let main = record.change.main();
        let (path, name) = (&main.path, &main.function);
        let unclear = |detail: &str| Rejection::new("unclear_place", format!("`{name}`: {detail}"));
        let tree = &record.fixed;
        let source = tree.text(path).unwrap_or_default();
        let own = uses(source, name);
        if name.is_empty() || own.functions != 1 || own.others > 0 {
            return Err(unclear("it is no function at the top, or means several things"));
        }
        if texts(tree).iter().any(|(_, text)| uses(text, name).texts > 0) {
            return Err(unclear("it stands in texts"));
        }
        let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let is_free = |stem: &&&str| {
            !tree.paths().any(|it| it.starts_with(&format!("{folder}{stem}"))) && !source.contains(**stem)
        };
        let mut stems: Vec<&&str> = STEMS.iter().filter(is_free).collect();
        stems.shuffle(rng);
        let stem = stems.first().ok_or_else(|| unclear("no name is left for a module"))?;
        let leaving = relocation::leaving(source, name).map_err(|reason| unclear(&reason))?;
        let is_package = path.ends_with("__init__.py");
        let stays_reachable = is_package || texts(tree).iter().any(|(_, text)| relocation::reaches(text, name));
        // Two modules that need each other work in one order of imports only.
        if !leaving.needed.is_empty() && !is_package && (stays_reachable || leaving.is_used) {
            return Err(unclear("it needs its module, and its module or others need it there"));
        }
        Ok(Self { path: path.clone(), name: name.clone(), to: format!("{folder}{stem}.py"), stays_reachable })
    }

    pub(super) fn perform(&self, tree: &Tree, roots: &[String]) -> Tree {
        let mut after = tree.clone();
        let source = tree.text(&self.path).unwrap_or_default();
        let (from, to) = (module_name(&self.path, roots), module_name(&self.to, roots));
        let Ok(leaving) = relocation::leaving(source, &self.name) else { return after };
        let (old, new) = relocation::relocated(source, &self.name, &leaving, (&from, &to), self.takes_back(&leaving));
        after.insert(self.path.clone(), old);
        after.insert(self.to.clone(), new);
        for (path, text) in texts(tree).into_iter().filter(|(path, _)| *path != self.path && !self.stays_reachable) {
            let redirected = redirected(path, text, roots, (&self.name, &from, &to));
            let starred =
                from_imports(path, &redirected, roots).into_iter().rev().find(|it| it.is_star && it.module == from);
            let whole = match starred.filter(|_| !self.name.starts_with('_')) {
                Some(star) => relocation::beside_star(&redirected, &star, &self.name, (&from, &to)),
                None => redirected,
            };
            after.insert(path, whole);
        }
        after
    }

    fn takes_back(&self, leaving: &Leaving) -> bool {
        self.stays_reachable || leaving.is_used
    }

    pub(super) fn in_words(&self) -> String {
        let Self { path, name, to, stays_reachable } = self;
        let rest = match stays_reachable {
            true => format!("`{path}` imports it from there, so that whoever uses it need not change."),
            false => format!(
                "Whatever imports it from `{path}` imports it from there instead; `{path}` itself imports it only if it uses it."
            ),
        };
        format!(
            "Move the function `{name}` of `{path}` to the new module `{to}`. {rest} Leave no second definition behind, and no function that only forwards."
        )
    }

    pub(super) fn broken(&self, handed: &Handed<'_>) -> Option<String> {
        let Self { path, name, to, .. } = self;
        if handed.count(to, name) != 1 {
            return Some(format!("`{to}` does not define `{name}` once"));
        }
        let old = handed.tree.text(path).unwrap_or_default();
        let left = uses(old, name);
        if left.functions + left.others > 0 {
            return Some(format!("`{path}` still defines `{name}`"));
        }
        let (from, new) = (module_name(path, handed.roots), module_name(to, handed.roots));
        let takes = |tree: &Tree, file: &str, module: &str| {
            let text = tree.text(file).unwrap_or_default();
            let is_it = |it: &(String, Option<String>)| it.0 == *name;
            let imports = from_imports(file, text, handed.roots);
            imports.iter().any(|import| import.module == module && import.names.iter().any(is_it))
        };
        let files: BTreeSet<&str> = handed.sources().map(|(file, _)| file).collect();
        for file in files {
            if takes(&handed.tree, file, &from) && !takes(handed.after, file, &from) {
                return Some(format!("`{file}` still imports `{name}` from `{path}`"));
            }
        }
        match (takes(handed.after, path, &new), takes(&handed.tree, path, &new)) {
            (true, false) => Some(format!("`{path}` does not import `{name}` from `{to}`")),
            (false, true) => Some(format!("`{path}` imports `{name}`, which it does not use")),
            _ => None,
        }
    }
}
