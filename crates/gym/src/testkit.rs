//! What several modules' tests need: a task that says as little as possible, and a real sandbox on a few files.

use basis_sandbox::{Limits, Sandbox, SandboxSpec, backends};

use crate::project::{Origin, RunnerKind, TestSetup};
use crate::task::{Context, SCHEMA_VERSION, Task};
use crate::tree::Tree;

/// An `edit` task on an empty tree with 4 turns.
pub(crate) fn task() -> Task {
    let tests = TestSetup {
        runner: RunnerKind::Plain,
        files: vec![],
        import_roots: vec![],
        requirements: vec![],
        before: None,
    };
    Task {
        id: String::new(),
        schema_version: SCHEMA_VERSION,
        skill: "edit".into(),
        prompt: "do it".into(),
        context: Context { tree: Tree::new().id(), tests, max_turns: 4 },
        hidden: serde_json::Value::Null,
        grader: "none 1".into(),
        origin: Origin::new("generated", "0"),
        project: "sample".into(),
        family: String::new(),
        pair: String::new(),
    }
    .sealed()
}

/// A sandbox on these files; the directory holds its layer.
pub(crate) fn sandbox(files: &[(&str, &str)]) -> (tempfile::TempDir, Box<dyn Sandbox>) {
    let layer = tempfile::tempdir().expect("there is room for a layer");
    let mut tree = Tree::new();
    files.iter().for_each(|(path, text)| tree.insert(*path, text.as_bytes()));
    tree.write_to(layer.path()).expect("the layer is writable");
    let spec = SandboxSpec {
        root: Vec::new(),
        layers: vec![layer.path().to_owned()],
        workdir: "/repo".into(),
        mounts: vec![],
        env: [("PATH".into(), "/usr/bin:/bin".into())].into(),
        limits: Limits::default(),
    };
    let backend = backends::open("namespace").expect("this machine has namespaces");
    let sandbox = backend.create(&spec).expect("a sandbox starts");
    (layer, sandbox)
}

/// A small healthy package: `top` in one module calls `cap` in another; both have documented examples and tests.
pub(crate) fn project() -> crate::project::Project {
    let mut tree = Tree::new();
    tree.insert("pkg/__init__.py", "");
    tree.insert("pkg/limits.py", LIMITS);
    tree.insert("pkg/report.py", REPORT);
    tree.insert("tests/test_limits.py", TEST_LIMITS);
    tree.insert("tests/test_report.py", TEST_REPORT);
    let files = vec!["tests/test_limits.py".into(), "tests/test_report.py".into()];
    let tests = TestSetup {
        runner: RunnerKind::Plain,
        files,
        import_roots: vec![String::new()],
        requirements: vec![],
        before: None,
    };
    let origin = Origin::new("path", "testkit");
    crate::project::Project { name: "pkg".into(), version: String::new(), tree, tests, origin }
}

pub(crate) const LIMITS: &str = "\
def cap_value(value, low, high):
    \"\"\"Return value, but at least low and at most high.

    Example: cap_value(9, 1, 5) == 5
    \"\"\"
    if value < low:
        return low
    if value > high:
        return high
    return value
";

const REPORT: &str = "\
from pkg.limits import cap_value


def total_capped(values, high):
    \"\"\"Return the sum of values, each at least 0 and at most high, plus 1.

    Example: total_capped([9, 2], 5) == 8
    \"\"\"
    total = 1
    for value in values:
        total = total + cap_value(value, 0, high)
    return total
";

const TEST_LIMITS: &str = "\
from pkg.limits import cap_value


def test_cap_value_1():
    assert cap_value(0, 1, 5) == 1


def test_cap_value_2():
    assert cap_value(7, 1, 5) == 5


def test_cap_value_3():
    assert cap_value(2, 1, 5) == 2


def test_cap_value_4():
    assert cap_value(-3, -2, 5) == -2


def test_cap_value_5():
    assert cap_value(4, 4, 4) == 4
";

const TEST_REPORT: &str = "\
from pkg.report import total_capped


def test_total_capped_1():
    assert total_capped([], 5) == 1


def test_total_capped_2():
    assert total_capped([2, 3], 5) == 6


def test_total_capped_3():
    assert total_capped([-1, 9], 4) == 5
";

/// A small healthy crate: the same two functions, with tests in their file and in one of their own.
pub(crate) fn rust_project() -> crate::project::Project {
    let manifest = "[package]\nname = \"caps\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lock = "version = 3\n\n[[package]]\nname = \"caps\"\nversion = \"0.1.0\"\n";
    let mut tree = Tree::new();
    tree.insert("Cargo.toml", manifest);
    tree.insert("Cargo.lock", lock);
    tree.insert("src/lib.rs", RUST_LIB);
    tree.insert("src/report.rs", RUST_REPORT);
    tree.insert("tests/api.rs", RUST_API);
    let files = vec!["src/lib.rs".into(), "tests/api.rs".into()];
    let requirements = vec![manifest.into(), lock.into()];
    let tests = TestSetup { runner: RunnerKind::Cargo, files, import_roots: vec![], requirements, before: None };
    let origin = Origin::new("path", "testkit");
    crate::project::Project { name: "caps".into(), version: "0.1.0".into(), tree, tests, origin }
}

pub(crate) const RUST_LIB: &str = "\
//! Values within limits.

mod report;

pub use report::total_capped;

/// The value, but at least `low` and at most `high`.
pub fn cap_value(value: i64, low: i64, high: i64) -> i64 {
    if value < low {
        return low;
    }
    if value > high {
        return high;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_values_become_low() {
        assert_eq!(cap_value(0, 1, 5), 1);
    }

    #[test]
    fn high_values_become_high() {
        assert_eq!(cap_value(7, 1, 5), 5);
    }

    #[test]
    fn others_stay() {
        assert_eq!(cap_value(2, 1, 5), 2);
    }

    #[test]
    fn equal_limits() {
        assert_eq!(cap_value(4, 4, 4), 4);
    }
}
";

const RUST_REPORT: &str = "\
use crate::cap_value;

/// The sum of values, each at least 0 and at most `high`, plus 1.
pub fn total_capped(values: &[i64], high: i64) -> i64 {
    let mut total = 1;
    for value in values {
        total += cap_value(*value, 0, high);
    }
    total
}
";

const RUST_API: &str = "\
use caps::total_capped;

#[test]
fn of_nothing() {
    assert_eq!(total_capped(&[], 5), 1);
}

#[test]
fn of_some() {
    assert_eq!(total_capped(&[2, 3], 5), 6);
}

#[test]
fn of_outliers() {
    assert_eq!(total_capped(&[-1, 9], 4), 5);
}
";

/// Gives the library of the crate examples in its documentation, and leaves no other tests in it.
pub(crate) fn leave_only_examples(project: &mut crate::project::Project) {
    let text = RUST_LIB.replacen("//! Values within limits.\n", RUST_EXAMPLE, 1);
    let text = text.replacen("/// The value, but at least `low` and at most `high`.\n", RUST_EXAMPLES, 1);
    let (code, _) = text.split_once("#[cfg(test)]").expect("tests stand last");
    project.tree.insert("src/lib.rs", code);
}

const RUST_EXAMPLE: &str = "\
//! ```
//! use caps::*;
//! fn main() -> Result<(), String> {
//!     if total_capped(&[1, 9], 5) == 7 { Ok(()) } else { Err(\"no\".into()) }
//! }
//! ```
";

const RUST_EXAMPLES: &str = "\
/// The value, but at least `low` and at most `high`.
///
/// ```
/// use caps::cap_value;
///
/// assert_eq!(cap_value(9, 1, 5), 5);
/// # assert_eq!(cap_value(3, 1, 5), 3);
/// ```
///
/// ```should_panic
/// assert_eq!(caps::cap_value(9, 1, 5), 9);
/// ```
///
/// ```
/// let five: i64 = \"5\".parse()?;
/// assert_eq!(caps::cap_value(9, 1, five), 5);
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
///
/// ```ignore
/// caps::not_run();
/// ```
";

/// A workshop on this machine with a cache of its own. The directory lives as long as the first value.
pub(crate) fn workshop() -> (tempfile::TempDir, crate::grade::Workshop) {
    let cache = tempfile::tempdir().expect("a temporary directory can be made");
    let backend = basis_sandbox::backends::open("namespace").expect("this machine runs namespaces");
    let toolchain = crate::languages::python::Toolchain::discover(None, &[]).expect("this machine has python3");
    let blobs = std::sync::Arc::new(crate::blobs::Blobs::open(cache.path().join("blobs")).expect("blobs open"));
    // Whoever runs these tests has a Rust toolchain.
    let search_path = std::path::Path::new(env!("CARGO")).parent().map(std::path::Path::to_owned).into_iter().collect();
    let toolchains = crate::languages::Toolchains { python: toolchain, search_path };
    let workshop = crate::grade::Workshop::open(backend, toolchains, cache.path(), blobs).expect("the workshop opens");
    (cache, workshop)
}

/// The record of a bug in the inner function: the guard for values below `low` is gone.
pub(crate) fn record(workshop: &crate::grade::Workshop) -> crate::record::BugRecord {
    record_of(workshop, "pkg/limits.py", |text| !text.contains("return low"))
}

/// The record of the first mutation of a file whose text is wanted.
pub(crate) fn record_of(
    workshop: &crate::grade::Workshop,
    path: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> crate::record::BugRecord {
    record_in(workshop, &project(), path, is_wanted)
}

/// The same in some project.
pub(crate) fn record_in(
    workshop: &crate::grade::Workshop,
    project: &crate::project::Project,
    path: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> crate::record::BugRecord {
    let environment = workshop.environment(&project.tests).expect("the environment needs nothing from elsewhere");
    let (backend, layers, limits) = (workshop.backend.as_ref(), &workshop.layers, &workshop.grading_limits);
    let baseline = crate::baseline::baseline(backend, environment.as_ref(), layers, project, limits)
        .expect("the package is healthy");
    let text = project.tree.text(path).expect("the package has the file");
    let sites = crate::languages::mutations(path, text);
    let site = sites.iter().find(|site| is_wanted(&site.apply(text))).expect("there is such a mutation");
    let ground =
        crate::validate::Ground { backend, environment: environment.as_ref(), layers, project, baseline: &baseline };
    crate::validate::validate(&ground, site).expect("the bug is noticed")
}

/// Compares with a document below `docs/reference/`, or writes it where snapshots are being written.
pub(crate) fn document(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::create_dir_all(path.parent().expect("documents lie in a folder")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the document can be written");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(known, text, "`docs/reference/{name}` is out of date; run with INSTA_UPDATE=always and read the diff");
}
