//! Facts about real packages: fetched from the package index without running them, then run in sandboxes.

use basis_gym::baseline::baseline;
use basis_gym::languages::python::Environment;
use basis_gym::sources::{self, SourceError};
use basis_sandbox::Limits;

use crate::bench::{Bench, skip};

/// Opens a package, or says why this machine cannot reach the index.
fn open(bench: &Bench, locator: &str) -> Option<Result<basis_gym::project::Project, SourceError>> {
    match sources::open(locator, &bench.toolchain.clone().into(), &bench.layers) {
        Err(SourceError::Fetch { reason, .. })
            if reason.contains("cannot be reached") || reason.contains("pip is needed") =>
        {
            skip(&reason);
            None
        }
        outcome => Some(outcome),
    }
}

#[test]
fn a_package_of_the_index_becomes_a_project_whose_tests_pass() {
    let Some(bench) = Bench::open() else { return };
    let Some(project) = open(&bench, "pypi:inflection==0.5.1") else { return };
    let project = project.expect("a project");
    assert_eq!((project.name.as_str(), project.version.as_str()), ("inflection", "0.5.1"));
    assert_eq!((project.origin.locator.as_str(), project.origin.licence.as_str()), ("inflection==0.5.1", "MIT"));
    let environment = Environment::prepare(&bench.layers, &bench.toolchain, &project.tests).expect("an environment");
    let healthy = baseline(bench.backend.as_ref(), &environment, &bench.layers, &project, &Limits::default());
    let healthy = healthy.expect("a healthy suite");
    assert!(healthy.passing.len() > 400 && healthy.set_aside.is_empty(), "{:?}", healthy.set_aside);
}

#[test]
fn a_package_without_tests_or_without_existence_is_refused_by_name() {
    let Some(bench) = Bench::open() else { return };
    let Some(outcome) = open(&bench, "pypi:sortedcontainers==2.4.0") else { return };
    let expected = "`sortedcontainers` has no tests; expected files called `test_*.py` or `*_test.py`; name a directory with its tests, such as a checkout";
    assert_eq!(outcome.expect_err("it ships none").to_string(), expected);
    let Some(outcome) = open(&bench, "pypi:no-such-package-anywhere-1") else { return };
    assert!(outcome.expect_err("it does not exist").to_string().contains("no package `no-such-package-anywhere-1`"));
}
