//! A JavaScript project from a tree with a `package.json`: which files are tests, who runs them, and what they need.

use super::{Find, SourceError};
use crate::languages::Toolchains;
use crate::languages::javascript::dependencies::{self, Wanted};
use crate::languages::javascript::{JavaScriptError, Toolchain, has_tests};
use crate::languages::of_path;
use crate::project::{Origin, Project, RunnerKind, TestSetup};
use crate::tree::{LayerStore, Tree};

/// What makes a directory a JavaScript project.
const MANIFEST: &str = "package.json";
/// Runners that are packages.
const PACKAGES: [(&str, RunnerKind); 3] =
    [("vitest", RunnerKind::Vitest), ("jest", RunnerKind::Jest), ("mocha", RunnerKind::Mocha)];
/// Whose tests cannot be run; named when there are no others.
const OTHER_RUNNERS: [&str; 6] = ["ava", "tape", "tap", "uvu", "jasmine", "qunit"];
/// Folders whose test-like files are not tests of the project, or only material for them.
const NOT_TESTS: [&str; 8] =
    ["docs", "examples", "example", "benchmark", "benchmarks", "fixtures", "fixture", "__fixtures__"];

/// The project of a tree that some source has read.
///
/// # Errors
/// [`SourceError`] when it has no tests for a runner that is known, or its packages cannot be resolved.
pub(super) fn project(
    tree: Tree,
    find: Find,
    toolchains: &Toolchains,
    scratch: &LayerStore,
) -> Result<Project, SourceError> {
    let text = tree.text(MANIFEST).unwrap_or("{}");
    let malformed = |reason: String| SourceError::Malformed { path: MANIFEST.to_owned(), reason };
    let manifest: serde_json::Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let of = |key: &str| manifest[key].as_str().map(str::to_owned);
    let name = of("name").unwrap_or(find.folder);
    if let Some(members) = members(&manifest) {
        return Err(SourceError::Workspace { members, project: name });
    }
    let Some((runner, files)) = runner(&tree, &manifest) else {
        return Err(SourceError::NoScriptTests { others: others(&manifest), project: name });
    };
    let toolchain = || -> Result<Toolchain, JavaScriptError> { Toolchain::discover(&toolchains.search_path) };
    let wanted = Wanted { runner: package_of(runner), before: find.before.as_deref() };
    let (requirements, before) =
        dependencies::requirements(&tree, wanted, &toolchain, scratch).map_err(|error| malformed(error.to_string()))?;
    let tests = TestSetup { runner, files, import_roots: Vec::new(), requirements, before };
    let origin = Origin { licence: of("license").unwrap_or_default(), ..find.origin };
    Ok(Project { name, version: of("version").unwrap_or_default(), tree, tests, origin })
}

/// Who runs the tests, and the files with tests.
fn runner(tree: &Tree, manifest: &serde_json::Value) -> Option<(RunnerKind, Vec<String>)> {
    let named =
        |package: &str| ["devDependencies", "dependencies"].iter().any(|kind| manifest[*kind].get(package).is_some());
    // Functions of other runners may be global; then only the name of a file says that it holds tests.
    let is_named_so = |path: &str| {
        let in_folder = path.starts_with("test/") || path.starts_with("tests/");
        path.contains(".test.") || path.contains(".spec.") || path.contains("__tests__/") || in_folder && named("mocha")
    };
    let of_node = test_files(tree, &|_, text| text.contains("node:test"));
    let other = || {
        let (package, runner) = PACKAGES.iter().find(|(package, _)| named(package))?;
        Some((*runner, test_files(tree, &|path, text| text.contains(package) || is_named_so(path))))
    };
    let found = if of_node.is_empty() { other()? } else { (RunnerKind::NodeTest, of_node) };
    Some(found).filter(|(_, files)| !files.is_empty())
}

/// Where the packages of a workspace are, if the manifest describes one.
fn members(manifest: &serde_json::Value) -> Option<String> {
    let all = manifest["workspaces"].as_array().or_else(|| manifest["workspaces"]["packages"].as_array())?;
    Some(all.iter().filter_map(|it| it.as_str()).collect::<Vec<_>>().join(", "))
}

/// The package that has the runner.
fn package_of(runner: RunnerKind) -> Option<&'static str> {
    PACKAGES.iter().find(|(_, own)| *own == runner).map(|(package, _)| *package)
}

/// Files that declare tests and are wanted by path and text.
fn test_files(tree: &Tree, is_wanted: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
    let outside = |path: &str| path.split('/').any(|part| NOT_TESTS.contains(&part));
    let is_script = |path: &str| of_path(path).is_some_and(|language| language.name() == "javascript");
    let scripts = tree.paths().filter(|path| is_script(path) && !outside(path));
    let tests = scripts.filter(|path| tree.text(path).is_some_and(|text| is_wanted(path, text) && has_tests(text)));
    tests.map(str::to_owned).collect()
}

/// What a manifest says about other runners, for people.
fn others(manifest: &serde_json::Value) -> String {
    let named = |name: &&&str| manifest["devDependencies"].get(**name).is_some();
    let found: Vec<&str> = OTHER_RUNNERS.iter().filter(named).copied().collect();
    match found.is_empty() {
        true => String::new(),
        false => format!(" (it uses {})", found.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python;

    fn project(files: &[(&str, &str)]) -> Result<Project, SourceError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut tree = Tree::new();
        files.iter().for_each(|(path, text)| tree.insert(*path, *text));
        tree.write_to(directory.path()).expect("files");
        let cache = tempfile::tempdir().expect("a temporary directory");
        let scratch = LayerStore::open(cache.path()).expect("the store opens");
        let python = python::Toolchain::discover(None, &[]).expect("this machine has python3");
        super::super::kind::read(directory.path(), Origin::new("path", ""), &python.into(), &scratch)
    }

    #[test]
    fn tests_are_files_that_declare_some_for_node() {
        let test = "import test from 'node:test';\ntest('a', () => {});\n";
        let project = project(&[
            ("package.json", r#"{"name": "thing", "version": "1.2.3", "license": "MIT"}"#),
            ("index.js", "export const f = () => 1;\n"),
            ("test/a.js", test),
            ("test/fixtures/b.js", test),
            ("test/helper.js", "import test from 'node:test';\nexport const x = 1;\n"),
            ("lib/a.test.ts", test),
            ("node_modules/x/test.js", test),
        ])
        .expect("a project");
        assert_eq!(project.tests.files, ["lib/a.test.ts", "test/a.js"]);
        assert_eq!((project.name.as_str(), project.version.as_str()), ("thing", "1.2.3"));
        assert_eq!(project.origin.licence, "MIT");
        assert!(project.tests.requirements.is_empty());
    }

    #[test]
    fn a_project_with_other_tests_is_refused_by_the_name_of_their_runner() {
        let error = project(&[("package.json", r#"{"name": "thing", "devDependencies": {"ava": "6"}}"#)])
            .expect_err("no tests")
            .to_string();
        assert!(error.contains("`thing` has no tests for `node:test`, vitest, jest or mocha (it uses ava)"), "{error}");
    }

    #[test]
    fn a_workspace_is_refused_with_where_its_packages_are() {
        let error = project(&[("package.json", r#"{"name": "thing", "workspaces": ["packages/*", "tools"]}"#)])
            .expect_err("several packages")
            .to_string();
        assert!(error.starts_with("`thing` is a workspace of several packages (packages/*, tools)"), "{error}");
    }
}
