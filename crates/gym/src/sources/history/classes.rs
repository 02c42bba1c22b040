//! What a file of a commit is, by its path.

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Code of the package: what a repair changes.
    Source,
    /// A test, or something that tests use.
    Test,
    /// What decides how tests are run.
    Config,
    /// Everything else: documentation, changelogs, scripts, generated files.
    Other,
}

/// Directories whose Python files are no part of the package.
const ASIDE: [&str; 11] =
    ["docs", "doc", "examples", "example", "benchmarks", "benchmark", "scripts", "tools", "perf", "vendor", "_vendor"];

pub(super) fn class(path: &str) -> Class {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let inside = |names: &[&str]| directories.split('/').any(|part| names.contains(&part));
    let is_test = name.ends_with(".py") && name.starts_with("test_") || name.ends_with("_test.py");
    if inside(&ASIDE) || inside(&[".github", ".git"]) {
        return Class::Other;
    }
    if is_test || inside(&["tests", "test", "testing"]) || matches!(name, "conftest.py" | "tests.py") {
        return Class::Test;
    }
    match name {
        "pyproject.toml" | "setup.cfg" | "setup.py" | "tox.ini" | "pytest.ini" | ".pytest.ini" => Class::Config,
        "noxfile.py" | "tasks.py" | "_version.py" | "version.py" | "__about__.py" | "__version__.py" => Class::Other,
        _ if name.ends_with(".txt") && path.contains("requirements") => Class::Config,
        _ if name.ends_with(".py") => Class::Source,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_a_file_is_for() {
        let all =
            |paths: &[&str], expected: Class| paths.iter().for_each(|path| assert_eq!(class(path), expected, "{path}"));
        all(&["pkg/a.py", "src/pkg/testing.py", "six.py"], Class::Source);
        all(&["tests/data.json", "pkg/test/util.py", "test_six.py", "a_test.py", "conftest.py"], Class::Test);
        all(&["setup.cfg", "pyproject.toml", "requirements/dev.txt", "requirements-test.txt"], Class::Config);
        all(&["docs/conf.py", "CHANGES.rst", "pkg/_version.py", "pkg/a.pyi", "examples/x.py"], Class::Other);
    }
}
