//! Which files of a directory make a project, where its modules are imported from, and which files are its tests.

use std::collections::BTreeSet;
use std::path::Path;

use crate::project::is_conftest;
use crate::tree::Tree;

/// Directories that are never part of a project, at any depth.
const SKIPPED: [&str; 16] = [
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    "__pycache__",
    ".tox",
    ".nox",
    ".venv",
    "node_modules",
    ".eggs",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".idea",
    ".vscode",
];
/// Directories that build tools write at the top of a project.
const BUILT: [&str; 4] = ["build", "dist", "htmlcov", "site"];
/// Directories whose test-like files are not tests of the project.
const NOT_TESTS: [&str; 6] = ["docs", "doc", "examples", "benchmarks", "benchmark", "perf"];
/// Files and directories at the top that are no modules of the project.
const NOT_MODULES: [&str; 10] =
    ["setup.py", "conftest.py", "noxfile.py", "tasks.py", "tests", "test", "testing", "docs", "examples", "benchmarks"];
/// Longer files are data, not source.
pub(super) const LONGEST_FILE: u64 = 4 << 20;

/// Reads a directory without version control data, caches, build results, virtual environments and large files.
///
/// # Errors
/// The first file-system error.
pub(super) fn read(root: &Path) -> std::io::Result<Tree> {
    Tree::from_dir(root, &|path| skipped(root, path))
}

fn skipped(root: &Path, path: &str) -> bool {
    let file = root.join(path);
    is_never_part(path)
        || file.join("pyvenv.cfg").exists()
        || file.symlink_metadata().is_ok_and(|data| data.is_file() && data.len() > LONGEST_FILE)
}

/// Whether a file or directory is version control data, a cache or a build result.
fn is_never_part(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let bytecode =
        [".pyc", ".pyo", ".so", ".pyd", ".egg-info", ".dist-info"].iter().any(|ending| name.ends_with(ending));
    SKIPPED.contains(&name) || bytecode || BUILT.contains(&path)
}

/// Whether a file lies in a directory that is never part of a project, or is such a file itself.
pub(super) fn is_ignored(path: &str) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.into_iter().any(|end| is_never_part(&path[..end]))
}

/// Directories that the project's modules are imported from: `src` or `lib` when packages are there, else the top.
pub(super) fn import_roots(tree: &Tree) -> Vec<String> {
    let nested = ["src", "lib", "python"].into_iter().find(|root| {
        let is_package = tree.contains(&format!("{root}/__init__.py"));
        !is_package && !modules(tree, &format!("{root}/")).is_empty()
    });
    vec![nested.unwrap_or_default().to_owned()]
}

/// Top-level modules and packages below a prefix, without files that belong to tests or tools.
pub(super) fn modules(tree: &Tree, prefix: &str) -> BTreeSet<String> {
    let relative = tree.paths().filter_map(|path| path.strip_prefix(prefix)).filter(|path| path.ends_with(".py"));
    let tops = relative.filter_map(|path| match path.split_once('/') {
        Some((package, _)) if tree.contains(&format!("{prefix}{package}/__init__.py")) => Some(package),
        Some(_) => None,
        None => Some(path),
    });
    let own = tops.filter(|top| !NOT_MODULES.contains(top) && !is_test(top));
    own.map(|top| top.trim_end_matches(".py").to_owned()).collect()
}

/// Test files in order, then the `conftest.py` files that belong to them.
pub(super) fn test_files(tree: &Tree) -> Vec<String> {
    let outside = |path: &str| path.split('/').any(|part| NOT_TESTS.contains(&part));
    let has_tests = |path: &str| is_test(path) || is_unittest(path, tree);
    let tests: Vec<&str> = tree.paths().filter(|path| has_tests(path) && !outside(path)).collect();
    let above = |path: &str| {
        let folder = path.trim_end_matches("conftest.py");
        tests.iter().any(|test| test.starts_with(folder))
    };
    let fixtures = tree.paths().filter(|path| is_conftest(path) && above(path));
    tests.iter().copied().chain(fixtures).map(str::to_owned).collect()
}

/// Whether a file is one that unittest finds, which asks less of names, and holds tests of its kind.
fn is_unittest(path: &str, tree: &Tree) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_found = name.starts_with("test") && name.ends_with(".py");
    is_found && tree.text(path).is_some_and(|text| text.contains("unittest") && text.contains("TestCase"))
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with("_test.py") || name.starts_with("test_") && name.ends_with(".py")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::new();
        paths.iter().for_each(|path| tree.insert(*path, ""));
        tree
    }

    #[test]
    fn modules_are_found_at_the_top_and_in_src() {
        let flat = tree(&["six.py", "setup.py", "test_six.py", "tests/__init__.py", "pkg/__init__.py", "data/x.py"]);
        assert_eq!(modules(&flat, "").into_iter().collect::<Vec<_>>(), ["pkg", "six"]);
        assert_eq!(import_roots(&flat), [""]);
        assert_eq!(import_roots(&tree(&["src/pkg/__init__.py", "setup.py"])), ["src"]);
    }

    #[test]
    fn tests_are_found_anywhere_but_in_documentation() {
        let tree = tree(&[
            "a/tests/test_a.py",
            "docs/test_b.py",
            "c_test.py",
            "conftest.py",
            "docs/conftest.py",
            "tests/util.py",
        ]);
        assert_eq!(test_files(&tree), ["a/tests/test_a.py", "c_test.py", "conftest.py"]);
    }

    #[test]
    fn unittest_asks_less_of_names() {
        let mut tree = tree(&["tests/testing.py", "pkg/testb.py"]);
        let text = "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self): pass\n";
        ["tests/testa.py", "tests.py", "tests/case.py"].iter().for_each(|path| tree.insert(*path, text));
        assert_eq!(test_files(&tree), ["tests.py", "tests/testa.py"]);
    }
}
