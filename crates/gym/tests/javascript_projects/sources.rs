//! Facts about real packages of the registry: fetched without running them, then shown to sandboxes.

use basis_gym::languages::{Health, Selection, Status};
use basis_gym::project::Project;
use basis_gym::sources::{self, SourceError};

use crate::bench::{Bench, skip, tree};

/// Opens a package, or says why this machine cannot reach the registry.
fn open(bench: &Bench, locator: &str) -> Option<Result<Project, SourceError>> {
    match sources::open(locator, None, &bench.toolchains, &bench.downloads).map(|opened| opened.project) {
        Err(SourceError::FetchNpm { reason, .. }) if !reason.contains("E404") && !reason.contains("404") => {
            skip(&reason)
        }
        outcome => Some(outcome),
    }
}

/// Reads a project from files, or says why what it needs cannot be resolved here.
fn read(bench: &Bench, files: &[(&str, &str)]) -> Option<Project> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    tree(files).write_to(directory.path()).expect("files");
    match sources::open(&directory.path().display().to_string(), None, &bench.toolchains, &bench.downloads)
        .map(|opened| opened.project)
    {
        Err(SourceError::Malformed { reason, .. }) => skip(&reason),
        outcome => Some(outcome.expect("a project")),
    }
}

#[test]
fn a_package_that_is_published_without_tests_is_refused_with_the_next_step() {
    let Some(bench) = Bench::open() else { return };
    let Some(outcome) = open(&bench, "npm:p-limit@6.2.0") else { return };
    let told = outcome.expect_err("it ships none").to_string();
    assert!(
        told.starts_with(
            "`p-limit` has no tests for `node:test`, vitest, jest or mocha (it uses ava); name a directory"
        ),
        "{told}"
    );
}

#[test]
fn packages_of_the_registry_are_there_offline_and_without_their_scripts() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        (
            "package.json",
            r#"{"name": "thing", "dependencies": {"yocto-queue": "1.1.1"}, "devDependencies": {"xo": "1"}}"#,
        ),
        (
            "test/a.test.mjs",
            "import test from 'node:test';\nimport Queue from 'yocto-queue';\ntest('is there', () => { new Queue().enqueue(1); });\n",
        ),
    ];
    let Some(project) = read(&bench, &files) else { return };
    assert_eq!(project.tests.requirements.len(), 2);
    assert!(!project.tests.requirements[1].contains("node_modules/xo"));
    let selection = Selection::files(project.tests.files.iter());
    let report = bench.workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox");
    assert_eq!(report.passing(), ["test/a.test.mjs::is there"], "{:?}", report.health);
}

#[test]
fn tests_of_vitest_are_told_apart_and_show_what_they_compare() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        ("package.json", r#"{"name": "thing", "type": "module", "devDependencies": {"vitest": "2.1.8"}}"#),
        ("lib/a.js", "export const add = (a, b) => a - b;\n"),
        (
            "test/a.test.js",
            "import { describe, expect, it } from 'vitest';\nimport { add } from '../lib/a.js';\n\
             describe('sums', () => {\n  it('fails', () => {\n    expect(add(1, 2)).toBe(3);\n  });\n  it('passes', () => {});\n\
               it.skip('skips', () => {});\n  it.fails('must fail', () => { throw new Error('x'); });\n});\n",
        ),
        ("test/gone.test.js", "import { it } from 'vitest';\nimport './gone.js';\nit('never', () => {});\n"),
    ];
    let Some(project) = read(&bench, &files) else { return };
    let selection = Selection::files(project.tests.files.iter()).with_symptoms();
    let report = bench.workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox");
    assert!(matches!(&report.health, Health::CollectFailed(files) if files.len() == 1), "{:?}", report.health);
    let statuses: Vec<(&str, Status)> =
        report.outcomes.iter().map(|(id, it)| (id.rsplit("::").next().expect("an id"), it.status)).collect();
    let expected = [
        ("fails", Status::Failed),
        ("must fail", Status::Xfail),
        ("passes", Status::Passed),
        ("skips", Status::Skipped),
    ];
    assert_eq!(statuses, expected);
    let symptom = report.outcomes["test/a.test.js::sums::fails"].symptom.clone().expect("it failed");
    assert_eq!((symptom.call.as_deref(), symptom.actual.as_deref()), (Some("add(1, 2)"), Some("-1")));
}

#[test]
fn tests_of_jest_are_told_apart_and_show_what_they_compare() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        ("package.json", r#"{"name": "thing", "devDependencies": {"jest": "29.7.0"}}"#),
        ("lib/a.js", "exports.add = (a, b) => a - b;\n"),
        (
            "lib/a.test.js",
            "const { add } = require('./a.js');\ndescribe('sums', () => {\n  it('fails', () => {\n    expect(add(1, 2)).toEqual(3);\n  });\n\
               it('passes', () => {});\n  it.skip('skips', () => {});\n});\n",
        ),
        ("lib/exits.test.js", "it('before', () => {});\nit('exits', () => process.exit(0));\n"),
    ];
    let Some(project) = read(&bench, &files) else { return };
    let selection = Selection::files(project.tests.files.iter()).with_symptoms();
    let report = bench.workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox");
    assert!(matches!(&report.health, Health::CollectFailed(files) if files.len() == 1), "{:?}", report.health);
    let statuses: Vec<(&str, Status)> =
        report.outcomes.iter().map(|(id, it)| (id.rsplit("::").next().expect("an id"), it.status)).collect();
    assert_eq!(statuses, [("fails", Status::Failed), ("passes", Status::Passed), ("skips", Status::Skipped)]);
    let symptom = report.outcomes["lib/a.test.js::sums::fails"].symptom.clone().expect("it failed");
    assert_eq!((symptom.call.as_deref(), symptom.actual.as_deref()), (Some("add(1, 2)"), Some("-1")));
}

#[test]
fn tests_of_mocha_are_told_apart_and_show_what_they_compare() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        ("package.json", r#"{"name": "thing", "devDependencies": {"mocha": "10.8.2"}}"#),
        ("lib/a.js", "exports.add = (a, b) => a - b;\n"),
        (
            "test/a.js",
            "const assert = require('assert');\nconst { add } = require('../lib/a.js');\ndescribe('sums', () => {\n  it('fails', () => {\n    assert.strictEqual(add(1, 2), 3);\n  });\n\
               it('passes', () => {});\n  it.skip('skips', () => {});\n});\n\
             describe('hooks', () => {\n  beforeEach(() => { throw new Error('x'); });\n  it('breaks', () => {});\n});\n",
        ),
        ("test/b.mjs", "it('is a module', async () => {});\n"),
        ("test/exits.js", "it('before', () => {});\nit('exits', () => process.exit(0));\n"),
        ("test/gone.js", "require('./missing.js');\nit('never', () => {});\n"),
    ];
    let Some(project) = read(&bench, &files) else { return };
    let selection = Selection::files(project.tests.files.iter()).with_symptoms();
    let report = bench.workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox");
    assert!(matches!(&report.health, Health::CollectFailed(files) if files.len() == 2), "{:?}", report.health);
    let statuses: Vec<(&str, Status)> =
        report.outcomes.iter().map(|(id, it)| (id.rsplit("::").next().expect("an id"), it.status)).collect();
    let expected = [
        ("breaks", Status::Error),
        ("fails", Status::Failed),
        ("passes", Status::Passed),
        ("skips", Status::Skipped),
        ("is a module", Status::Passed),
        // What a file said before it ended itself counts for nothing.
        ("before", Status::Error),
    ];
    assert_eq!(statuses, expected);
    let symptom = report.outcomes["test/a.js::sums::fails"].symptom.clone().expect("it failed");
    assert_eq!((symptom.call.as_deref(), symptom.actual.as_deref()), (Some("add(1, 2)"), Some("-1")));
}
