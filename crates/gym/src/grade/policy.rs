//! What of a change set may be handed in. Edits to protected paths are stripped and named, not punished.

use crate::episode::FileChange;
use crate::languages;
use crate::project::TestSetup;
use crate::tree::Tree;

/// The allowed part of a change set, and the paths that were stripped.
#[derive(Debug, Default)]
pub struct Allowed {
    /// New contents by path.
    pub files: Tree,
    /// Deleted paths.
    pub deleted: Vec<String>,
    /// Paths whose edits were stripped.
    pub stripped: Vec<String>,
}

/// Keeps edits of source files; strips the project's tests, runner and build configuration, everything that the language loads by
/// itself, and paths that lead out of the tree.
pub fn sources_only(files: &[FileChange], tests: &TestSetup) -> Allowed {
    let language = languages::of_runner(tests.runner);
    let mut allowed = Allowed::default();
    for change in files {
        let is_test = || !language.tests_in_sources() && tests.files.contains(&change.path);
        if language.is_protected(&change.path) || is_test() || !stays_inside(&change.path) {
            allowed.stripped.push(change.path.clone());
        } else if let Some(content) = &change.content {
            allowed.files.insert(change.path.clone(), content.clone());
        } else {
            allowed.deleted.push(change.path.clone());
        }
    }
    allowed
}

/// The files without new ones that no other file of the change names, and their paths: notes and checks that were left behind. Whoever
/// makes up the name of a module finds nothing.
pub fn without_unused(files: &Tree, is_known: &dyn Fn(&str) -> bool) -> (Tree, Vec<String>) {
    let (mut used, mut left): (Vec<&str>, Vec<&str>) = files.paths().partition(|path| is_known(path));
    let mentions = |path: &str, name: &str| {
        let text = files.text(path).unwrap_or_default();
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
    };
    while let Some(at) = left.iter().position(|path| used.iter().any(|other| mentions(other, module(path)))) {
        used.push(left.remove(at));
    }
    let mut kept = Tree::new();
    used.into_iter().for_each(|path| kept.insert(path, files.get(path).unwrap_or_default()));
    (kept, left.into_iter().map(str::to_owned).collect())
}

/// The last part of a module's name.
fn module(path: &str) -> &str {
    // Files that a directory is known by.
    const WHOLE: [&str; 5] = ["/__init__.py", "/mod.rs", "/index.js", "/index.mjs", "/index.ts"];
    let path = WHOLE.iter().find_map(|name| path.strip_suffix(name)).unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

/// Whether a path is relative and has no component that leads elsewhere.
pub fn stays_inside(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::RunnerKind;

    #[test]
    fn new_files_that_nothing_names_are_left_out() {
        let mut files = Tree::new();
        files.insert("pkg/a.py", "from pkg import helper\n");
        files.insert("pkg/helper/__init__.py", "from .deep import x\n");
        files.insert("pkg/helper/deep.py", "x = 1\n");
        files.insert("check.py", "import pytest, check\n");
        let (kept, unused) = without_unused(&files, &|path| path == "pkg/a.py");
        assert_eq!(kept.paths().collect::<Vec<_>>(), ["pkg/a.py", "pkg/helper/__init__.py", "pkg/helper/deep.py"]);
        assert_eq!(unused, ["check.py"]);
    }

    #[test]
    fn edits_of_tests_and_configuration_are_stripped_and_named() {
        let change = |path: &str| FileChange { path: path.into(), content: Some("x".into()) };
        let paths = [
            "pkg/a.py",
            "tests/test_a.py",
            "conftest.py",
            "pkg/evil.pth",
            "pyproject.toml",
            "pkg/test_b.py",
            "pkg/checks.py",
            "../a.py",
            "/etc/a.py",
        ];
        let files = vec!["pkg/checks.py".into()];
        let tests =
            TestSetup { runner: RunnerKind::Plain, files, import_roots: vec![], requirements: vec![], before: None };
        let allowed = sources_only(&paths.map(change), &tests);
        assert_eq!(allowed.files.paths().collect::<Vec<_>>(), ["pkg/a.py"]);
        assert_eq!(allowed.stripped, paths[1..]);
    }
}
