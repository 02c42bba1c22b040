//! What a project says about itself: name, version, licence, and what its tests need.
//!
//! Read from `pyproject.toml`, `PKG-INFO`, `setup.cfg`, `tox.ini` and requirement files; nothing is executed, so what only a `setup.py` computes is not
//! known. Tools that tests do not need (linters, formatters, documentation, packaging) are left out.

use toml::{Table, Value};

use super::{SourceError, ini};
use crate::tree::Tree;

/// Names of extras, dependency groups and requirement files that tests may need.
const TEST_NAMES: [&str; 6] = ["test", "tests", "testing", "dev", "develop", "development"];

/// Tools that no test needs, by normal name; a name that ends in `-` stands for all that begin with it.
const TOOLS: [&str; 42] = [
    "black",
    "blacken-docs",
    "build",
    "bump2version",
    "bumpversion",
    "check-manifest",
    "codecov",
    "coverage",
    "coveralls",
    "flake8",
    "flake8-",
    "furo",
    "hatch",
    "hatchling",
    "isort",
    "mkdocs",
    "mkdocs-",
    "mypy",
    "nox",
    "pip-tools",
    "pre-commit",
    "pre-commit-",
    "pycodestyle",
    "pydocstyle",
    "pyflakes",
    "pylint",
    "pyright",
    "pytest-cov",
    "pytest-randomly",
    "pytest-sugar",
    "pytest-xdist",
    "pyupgrade",
    "ruff",
    "setuptools-scm",
    "sphinx",
    "sphinx-",
    "tox",
    "tox-",
    "twine",
    "types-",
    "uv",
    "wheel",
];

/// What is known about a project.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    pub(super) version: String,
    pub(super) licence: String,
    pub(super) requirements: Vec<String>,
}

/// Reads what a tree says about itself.
///
/// # Errors
/// [`SourceError::Malformed`] when `pyproject.toml` is not TOML.
pub(super) fn read(tree: &Tree) -> Result<Metadata, SourceError> {
    let pyproject = pyproject(tree)?;
    let core = tree.text("PKG-INFO").map(CoreMetadata::parse).unwrap_or_default();
    let older = ini::read(tree, &|extra| TEST_NAMES.contains(&normal(extra).as_str()));
    let name = text(&pyproject, &["project", "name"]).or_else(|| core.first("Name")).or(older.name);
    let version = text(&pyproject, &["project", "version"])
        .or_else(|| core.first("Version"))
        .or(older.version)
        .unwrap_or_default();
    let licence = Some(licence(&pyproject, &core)).filter(|it| !it.is_empty()).or(older.licence).unwrap_or_default();
    let mut requirements = declared(&pyproject, &core);
    if requirements.is_empty() {
        requirements.extend(older.requirements);
    }
    requirements.extend(requirement_files(tree, requirements.is_empty()));
    let own = normal(name.as_deref().unwrap_or_default());
    requirements.retain(|line| wanted(line, &own));
    requirements.sort();
    requirements.dedup();
    Ok(Metadata { name, version, licence, requirements })
}

fn pyproject(tree: &Tree) -> Result<Table, SourceError> {
    let path = "pyproject.toml";
    let parsed = tree.text(path).unwrap_or_default().parse::<Table>();
    parsed.map_err(|error| SourceError::Malformed { path: path.to_owned(), reason: error.message().to_owned() })
}

fn licence(pyproject: &Table, core: &CoreMetadata) -> String {
    let stated = text(pyproject, &["project", "license"]).or_else(|| text(pyproject, &["project", "license", "text"]));
    let classified = || {
        let found = core.all("Classifier").find_map(|line| line.strip_prefix("License :: "));
        found.map(|line| line.trim_start_matches("OSI Approved :: ").to_owned())
    };
    let one_line = |text: &String| text.lines().count() == 1;
    let stated = stated.or_else(|| core.first("License-Expression")).or_else(|| core.first("License"));
    stated.filter(one_line).or_else(classified).unwrap_or_default()
}

/// Requirements of the project itself and of its test extras and groups.
fn declared(pyproject: &Table, core: &CoreMetadata) -> Vec<String> {
    let mut lines = strings(value(pyproject, &["project", "dependencies"]));
    for section in [&["project", "optional-dependencies"][..], &["dependency-groups"], &["tool", "poetry", "group"]] {
        let groups = value(pyproject, section).and_then(Value::as_table);
        let chosen = groups.into_iter().flatten().filter(|(name, _)| TEST_NAMES.contains(&normal(name).as_str()));
        lines.extend(chosen.flat_map(|(_, group)| strings(Some(group))));
    }
    lines.extend(core.all("Requires-Dist").filter_map(core_requirement));
    lines
}

/// A `Requires-Dist` line without the condition that it belongs to a test extra; nothing when it belongs to another extra.
fn core_requirement(line: &str) -> Option<String> {
    let (requirement, marker) = line.split_once(';').unwrap_or((line, ""));
    let (extras, conditions): (Vec<&str>, Vec<&str>) =
        marker.split(" and ").map(str::trim).filter(|part| !part.is_empty()).partition(|part| part.contains("extra"));
    let in_tests = |part: &&str| part.split(['"', '\'']).any(|name| TEST_NAMES.contains(&normal(name).as_str()));
    if !extras.is_empty() && !extras.iter().any(in_tests) {
        return None;
    }
    let requirement = requirement.trim();
    match conditions.is_empty() {
        true => Some(requirement.to_owned()),
        false => Some(format!("{requirement}; {}", conditions.join(" and "))),
    }
}

/// Lines of requirement files for tests, and of `requirements.txt` when nothing else says what the project needs.
fn requirement_files(tree: &Tree, with_plain: bool) -> Vec<String> {
    let chosen = tree.paths().filter(|path| match path.rsplit('/').next().unwrap_or(path).strip_suffix(".txt") {
        Some("requirements") if !path.contains('/') => with_plain,
        Some(stem) if path.matches('/').count() <= 1 && path.contains("requirements") => {
            stem.split(['-', '_', '.']).any(|part| TEST_NAMES.contains(&part))
        }
        _ => false,
    });
    let lines = chosen.filter_map(|path| tree.text(path)).flat_map(str::lines);
    let bare =
        lines.map(|line| line.split(" #").next().unwrap_or_default().split(" --").next().unwrap_or_default().trim());
    bare.filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])).map(str::to_owned).collect()
}

/// Whether a line names a package that tests may need: no tool, no address, not the project itself.
fn wanted(line: &str, own: &str) -> bool {
    let end =
        line.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter)).unwrap_or(line.len());
    let name = normal(&line[..end]);
    let tool = TOOLS.iter().any(|tool| name == *tool || tool.ends_with('-') && name.starts_with(tool));
    !name.is_empty() && !tool && name != own && !line.contains('@')
}

/// The name under which an index knows a package.
pub(super) fn normal(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase().replace(['_', '.'], "-");
    lower.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn value<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn text(table: &Table, path: &[&str]) -> Option<String> {
    value(table, path)?.as_str().map(str::to_owned)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Header fields of `PKG-INFO`.
#[derive(Default)]
struct CoreMetadata(Vec<(String, String)>);

impl CoreMetadata {
    fn parse(text: &str) -> Self {
        let header = text.lines().take_while(|line| !line.trim().is_empty());
        let fields = header.filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| line.split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn first(&self, name: &str) -> Option<String> {
        self.all(name).next().filter(|value| !value.is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_files(files: &[(&str, &str)]) -> Metadata {
        let mut tree = Tree::new();
        files.iter().for_each(|(path, text)| tree.insert(*path, *text));
        read(&tree).expect("well-formed")
    }

    #[test]
    fn test_extras_and_groups_count_and_tools_do_not() {
        let pyproject = r#"
            [project]
            name = "My.Package"
            version = "1.2"
            license = "MIT"
            dependencies = ["attrs>=20"]
            [project.optional-dependencies]
            test = ["pytest-mock", "flake8-bugbear", "my-package[extra]"]
            docs = ["numpy"]
            [dependency-groups]
            dev = ["hypothesis; python_version > '3.8'", "Black==23", { include-group = "test" }]
        "#;
        let metadata = read_files(&[("pyproject.toml", pyproject)]);
        assert_eq!(
            (metadata.name.as_deref(), metadata.version.as_str(), metadata.licence.as_str()),
            (Some("My.Package"), "1.2", "MIT")
        );
        assert_eq!(metadata.requirements, ["attrs>=20", "hypothesis; python_version > '3.8'", "pytest-mock"]);
    }

    #[test]
    fn package_information_fills_in_what_is_not_declared() {
        let info = "Metadata-Version: 2.1\nName: thing\nVersion: 3\nClassifier: License :: OSI Approved :: MIT License\n\
            Requires-Dist: six\nRequires-Dist: nose; extra == \"docs\"\nRequires-Dist: mock; (python_version < \"4\") and extra == 'tests'\n\nName: no\n";
        let metadata = read_files(&[("PKG-INFO", info)]);
        assert_eq!((metadata.version.as_str(), metadata.licence.as_str()), ("3", "MIT License"));
        assert_eq!(metadata.requirements, ["mock; (python_version < \"4\")", "six"]);
    }

    #[test]
    fn requirement_files_for_tests_are_read_without_options() {
        let files = [
            ("requirements-test.txt", "pytest-mock==1  # why\n-r other.txt\nx @ git+https://x\n"),
            ("requirements/dev.txt", "freezegun --hash=sha256:1\n"),
            ("requirements.txt", "six\n"),
            ("deep/er/requirements-test.txt", "no"),
        ];
        assert_eq!(read_files(&files).requirements, ["freezegun", "pytest-mock==1", "six"]);
    }

    #[test]
    fn a_malformed_pyproject_is_named() {
        let mut tree = Tree::new();
        tree.insert("pyproject.toml", "[project");
        assert!(read(&tree).expect_err("not TOML").to_string().starts_with("`pyproject.toml`: "));
    }
}
