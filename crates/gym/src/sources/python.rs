//! A Python project from a tree: its name, its tests, and what they need.

use super::metadata::{self, Metadata};
use super::{Find, SourceError, layout};
use crate::project::{Origin, Project, RunnerKind, TestSetup};
use crate::tree::Tree;

/// The Python project that a tree is. Its tests will be run by pytest.
///
/// # Errors
/// [`SourceError`] when it has no package or no tests.
pub(super) fn project(mut tree: Tree, find: Find) -> Result<Project, SourceError> {
    let metadata = metadata::read(&tree)?;
    let name = metadata.name.clone().unwrap_or(find.folder);
    let tests = TestSetup { before: find.before, ..test_setup(&tree, &metadata, &name)? };
    add_distribution_record(&mut tree, &tests.import_roots[0], &name, &metadata.version);
    let origin = Origin { licence: metadata.licence, ..find.origin };
    Ok(Project { name, version: metadata.version, tree, tests, origin })
}

fn test_setup(tree: &Tree, metadata: &Metadata, name: &str) -> Result<TestSetup, SourceError> {
    let import_roots = layout::import_roots(tree);
    let prefix = match import_roots[0].as_str() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    if layout::modules(tree, &prefix).is_empty() {
        return Err(SourceError::NoPackage(name.to_owned()));
    }
    let files = layout::test_files(tree);
    if files.is_empty() {
        return Err(SourceError::NoTests(name.to_owned()));
    }
    Ok(TestSetup {
        runner: RunnerKind::Pytest,
        files,
        import_roots,
        requirements: metadata.requirements.clone(),
        before: None,
    })
}

/// Projects that ask for their own version at import find it as if they were installed; others get no such file.
fn add_distribution_record(tree: &mut Tree, root: &str, name: &str, version: &str) {
    let asks = |text: &str| {
        text.contains("importlib.metadata") || text.contains("importlib_metadata") || text.contains("pkg_resources")
    };
    let sources: Vec<&str> = tree.paths().filter(|path| path.ends_with(".py") && path.starts_with(root)).collect();
    if version.is_empty() || !sources.iter().filter_map(|path| tree.text(path)).any(asks) {
        return;
    }
    let folder = format!("{}.egg-info", name.replace(['-', '.'], "_"));
    let path = if root.is_empty() { folder } else { format!("{root}/{folder}") };
    tree.insert(format!("{path}/PKG-INFO"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::languages;
    use crate::sources::kind;
    use crate::tree::LayerStore;

    fn open(directory: &Path) -> Result<Project, SourceError> {
        let cache = tempfile::tempdir().expect("a temporary directory");
        let scratch = LayerStore::open(cache.path()).expect("the store opens");
        let python = languages::python::Toolchain::discover(None, &[]).expect("this machine has python3");
        kind::read(directory, Origin::new("path", ""), &python.into(), &scratch)
    }

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut tree = Tree::new();
        files.iter().for_each(|(path, text)| tree.insert(*path, *text));
        tree.write_to(directory.path()).expect("files");
        directory
    }

    #[test]
    fn a_project_is_its_sources_and_tests_without_what_tools_leave_behind() {
        let directory = directory(&[
            ("pyproject.toml", "[project]\nname = \"thing\"\nversion = \"1\"\n"),
            ("src/thing/__init__.py", "from importlib.metadata import version"),
            ("tests/test_thing.py", ""),
            (".git/config", ""),
            ("src/thing/__pycache__/x.pyc", ""),
            ("env/pyvenv.cfg", ""),
            ("env/lib/test_x.py", ""),
            ("build/lib/thing/__init__.py", ""),
        ]);
        let project = open(directory.path()).expect("a project");
        let paths: Vec<&str> = project.tree.paths().collect();
        assert_eq!(
            paths,
            ["pyproject.toml", "src/thing.egg-info/PKG-INFO", "src/thing/__init__.py", "tests/test_thing.py"]
        );
        assert_eq!((project.name.as_str(), project.tests.import_roots), ("thing", vec!["src".to_owned()]));
    }

    #[test]
    fn a_directory_without_tests_or_package_is_refused_by_name() {
        let only_code = directory(&[("pyproject.toml", "[project]\nname = \"thing\"\n"), ("thing.py", "")]);
        let error = open(only_code.path()).expect_err("no tests").to_string();
        assert_eq!(
            error,
            "`thing` has no tests; expected files called `test_*.py` or `*_test.py`; name a directory with its tests, such as a checkout"
        );
        let only_text = directory(&[("pyproject.toml", "[project]\nname = \"thing\"\n"), ("README", "")]);
        assert!(open(only_text.path()).expect_err("no package").to_string().contains("`thing` has no Python package"));
        assert!(
            open(Path::new("/nowhere"))
                .expect_err("no directory")
                .to_string()
                .contains("`/nowhere` is not a directory")
        );
    }
}
