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

/// Whether a path is relative and has no component that leads elsewhere.
pub fn stays_inside(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::RunnerKind;

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
