//! Facts about test runs with `node:test`, each in a real sandbox with a real node.

use basis_gym::languages::{Health, Selection, Status, TestReport};
use basis_gym::record::Symptom;

use crate::bench::Bench;

const LIBRARY: (&str, &str) = (
    "lib/a.js",
    "exports.add = (a, b) => a - b;\nexports.refuse = async (x) => { throw new TypeError(`no ${x}`); };\n",
);
const HEAD: &str = "const { test, describe, it, after } = require('node:test');\nconst assert = require('node:assert');\nconst { add, refuse } = require('../lib/a.js');\n";

/// Runs one test file beside a library with a bug; `None` when the machine cannot.
fn run_with(text: &str, selection: &Selection) -> Option<TestReport> {
    let bench = Bench::open()?;
    Some(bench.run(&[LIBRARY, ("test/a.test.js", &format!("{HEAD}{text}"))], selection))
}

fn run(text: &str) -> Option<TestReport> {
    run_with(text, &Selection::files(["test/a.test.js"]).with_symptoms())
}

fn id(title: &str) -> String {
    format!("test/a.test.js::{title}")
}

fn status(report: &TestReport, title: &str) -> Status {
    report.outcomes[&id(title)].status
}

fn symptom(report: &TestReport, title: &str) -> Symptom {
    report.outcomes[&id(title)].symptom.clone().expect("a failing test has a symptom")
}

#[test]
fn every_status_is_told_apart() {
    let Some(report) = run("\
test('passes', () => {});
test('fails', () => assert.equal(add(1, 2), 3));
test('skips', { skip: true }, () => {});
test('todo that throws', { todo: true }, () => { throw new Error('later'); });
test('todo that passes', { todo: 'soon' }, () => {});
test('skips itself', (t) => t.skip());
describe('outer', () => {
  it('inner', async () => refuse(1));
});
test('parent', async (t) => { await t.test('child', () => {}); });
test('twice', () => {});
test('twice', () => {});
describe('hooked', () => { after(() => { throw new Error('after'); }); it('is spoiled', () => {}); });
")
    else {
        return;
    };
    assert_eq!(report.health, Health::Sound);
    let statuses: Vec<(&str, Status)> =
        report.outcomes.iter().map(|(id, it)| (id.split_once("::").expect("an id").1, it.status)).collect();
    let expected = [
        ("fails", Status::Failed),
        ("hooked::is spoiled", Status::Error),
        ("outer::inner", Status::Failed),
        ("parent", Status::Passed),
        ("parent::child", Status::Passed),
        ("passes", Status::Passed),
        ("skips", Status::Skipped),
        ("skips itself", Status::Skipped),
        ("todo that passes", Status::Xpass),
        ("todo that throws", Status::Xfail),
        ("twice", Status::Error),
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn a_failing_comparison_shows_call_actual_and_expected_value() {
    let Some(report) = run("\
test('direct', () => { assert.strictEqual(add(1, 2), 3); });
test('names', () => {
  const one = 1;
  const result = add(one, 2);
  assert.deepStrictEqual(result, 3);
});
test('raised', async () => {
  const value = await refuse('é');
  assert.equal(value, 1);
});
")
    else {
        return;
    };
    for title in ["direct", "names"] {
        let Symptom { call, actual, expected, exception, .. } = symptom(&report, title);
        let seen = (call.as_deref(), actual.as_deref(), expected.as_deref(), exception);
        assert_eq!(seen, (Some("add(1, 2)"), Some("-1"), Some("3"), None), "{title}");
    }
    let raised = symptom(&report, "raised");
    assert_eq!(raised.exception.as_deref(), Some("TypeError: no é"));
    assert_eq!(raised.call.as_deref(), Some("refuse('é')"));
}

#[test]
fn a_process_that_exits_with_success_is_no_evidence() {
    for text in [
        "test('before', () => {});\ntest('exits', () => process.exit(0));\n",
        "test('before', () => {});\nprocess.exit(0);\n",
        "test('before', () => {});\nprocess.on('exit', () => { process.exitCode = 0; });\n",
        "test('before', () => {});\nprocess.reallyExit(1);\n",
    ] {
        let Some(report) = run_with(text, &Selection::tests(&[id("before")])) else { return };
        assert_ne!(status(&report, "before"), Status::Passed, "{text}");
        assert!(report.all_passed(&[id("before")]).is_err(), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_imported_is_named_and_its_tests_are_missing() {
    let text = "require('./gone.js');\ntest('never', () => {});\n";
    let Some(report) = run_with(text, &Selection::tests(&[id("never")])) else { return };
    assert!(
        matches!(&report.health, Health::CollectFailed(files) if files[0].contains("Cannot find module './gone.js'"))
    );
    assert_eq!(status(&report, "never"), Status::Missing);
}

#[test]
fn printed_lines_and_lines_without_the_key_are_worth_nothing() {
    let printed = "console.log('ok 1 - forged');\ntest('fails', () => assert.fail());\n";
    let Some(report) = run(printed) else { return };
    assert_eq!((report.health.code(), status(&report, "fails")), ("ok", Status::Failed));
    let forged = "require('node:fs').writeSync(3, '{\"nonce\":\"guess\",\"event\":\"test\",\"title\":\"x\"}\\n');\n";
    let Some(report) = run(forged) else { return };
    assert_eq!(report.health, Health::Forged);
}

#[test]
fn assertions_that_cannot_fail_break_the_canary() {
    let text = "assert.strictEqual = () => {};\ntest('fails', () => assert.strictEqual(1, 2));\n";
    let Some(report) = run(text) else { return };
    assert_eq!(report.health, Health::CanaryBroken);
}

#[test]
fn a_run_with_coverage_knows_the_functions_that_each_file_enters() {
    let text = "test('adds', () => { add(1, 2); });\n";
    let Some(report) = run_with(text, &Selection::files(["test/a.test.js"]).with_coverage()) else { return };
    let coverage = report.coverage.expect("it was asked for");
    let touching = |line| coverage.touching("lib/a.js", LIBRARY.1, line).expect("a function stands there");
    assert_eq!(touching(1).into_iter().collect::<Vec<_>>(), [id("adds")]);
    assert!(touching(2).is_empty());
}

#[test]
fn calls_are_evaluated_with_the_names_of_a_test_file() {
    let Some(bench) = Bench::open() else { return };
    let text = format!("{HEAD}const TEN = 10;\ntest('never runs here', () => {{ process.exit(3); }});\n");
    let files = [LIBRARY, ("test/a.test.js", text.as_str())];
    let calls = ["add(TEN, 2)", "({ a: [add(1, 1)], b: 'é' })", "await refuse(3)", "gone()", "test"];
    let seen = bench.evaluate(&files, "test/a.test.js", &calls);
    let values: Vec<Option<&str>> = seen.iter().map(|it| it.value.as_deref()).collect();
    assert_eq!(values, [Some("8"), Some("{ a: [ 0 ], b: 'é' }"), None, None, None]);
    let raised: Vec<Option<&str>> = seen.iter().map(|it| it.exception.as_deref()).collect();
    assert_eq!(raised[2..], [Some("TypeError: no 3"), Some("ReferenceError: gone is not defined"), None]);
}

#[test]
fn code_that_runs_away_is_ended_by_its_processor_time() {
    let text = "test('runs away', () => { for (;;); });\n";
    let selection = Selection::files(["test/a.test.js"]).within(Some(std::time::Duration::from_secs(1)));
    let Some(report) = run_with(text, &selection) else { return };
    assert_eq!(report.health, Health::TimedOut);
}
