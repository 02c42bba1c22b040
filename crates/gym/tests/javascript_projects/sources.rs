//! Facts about real packages of the registry: fetched without running them, then shown to sandboxes.

use basis_gym::languages::Selection;
use basis_gym::project::Project;
use basis_gym::sources::{self, SourceError};

use crate::bench::{Bench, skip, tree};

/// Opens a package, or says why this machine cannot reach the registry.
fn open(bench: &Bench, locator: &str) -> Option<Result<Project, SourceError>> {
    match sources::open(locator, &bench.toolchains, &bench.downloads) {
        Err(SourceError::FetchNpm { reason, .. }) if !reason.contains("E404") && !reason.contains("404") => {
            skip(&reason)
        }
        outcome => Some(outcome),
    }
}

#[test]
fn a_package_that_is_published_without_tests_is_refused_with_the_next_step() {
    let Some(bench) = Bench::open() else { return };
    let Some(outcome) = open(&bench, "npm:p-limit@6.2.0") else { return };
    let told = outcome.expect_err("it ships none").to_string();
    assert!(
        told.starts_with("`p-limit` has no tests for `node:test` or vitest (it uses ava); name a directory"),
        "{told}"
    );
}

#[test]
fn packages_of_the_registry_are_there_offline_and_without_their_scripts() {
    let Some(bench) = Bench::open() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = tree(&[
        (
            "package.json",
            r#"{"name": "thing", "dependencies": {"yocto-queue": "1.1.1"}, "devDependencies": {"xo": "1"}}"#,
        ),
        (
            "test/a.test.mjs",
            "import test from 'node:test';\nimport Queue from 'yocto-queue';\ntest('is there', () => { new Queue().enqueue(1); });\n",
        ),
    ]);
    files.write_to(directory.path()).expect("files");
    let locator = directory.path().display().to_string();
    let project = match sources::open(&locator, &bench.toolchains, &bench.downloads) {
        Err(SourceError::Malformed { reason, .. }) => return skip(&reason).unwrap_or_default(),
        outcome => outcome.expect("a project"),
    };
    assert_eq!(project.tests.requirements.len(), 2);
    assert!(!project.tests.requirements[1].contains("node_modules/xo"));
    let selection = Selection::files(project.tests.files.iter());
    let report = bench.workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox");
    assert_eq!(report.passing(), ["test/a.test.mjs::is there"], "{:?}", report.health);
}
