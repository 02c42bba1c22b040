//! Facts about test runs with the shipped runner, each in a real sandbox with a real interpreter.

use crate::bench::{Bench, setup};
use basis_gym::languages::python::{Health, Phase, Selection, Status, TestReport, Toolchain, run_script};
use basis_gym::project::RunnerKind;
use basis_gym::record::Symptom;
use basis_sandbox::{Limits, Outcome};
use std::time::Duration;

const PACKAGE: (&str, &str) = (
    "shop/prices.py",
    "def clamp(value, low, high):\n    return min(high, value)\n\ndef refuse(x):\n    raise ValueError(f'no {x}')\n",
);

/// Runs one test file beside the package with a bug; `None` when the machine cannot.
fn run(text: &str) -> Option<TestReport> {
    let bench = Bench::open()?;
    let selection = Selection::files(["tests/test_prices.py"]).with_symptoms();
    Some(bench.run(&[PACKAGE, ("tests/test_prices.py", text)], &plain(), &selection))
}

fn plain() -> basis_gym::project::TestSetup {
    setup(RunnerKind::Plain, &["tests/test_prices.py"])
}

fn id(name: &str) -> String {
    format!("tests/test_prices.py::{name}")
}

fn symptom(report: &TestReport, name: &str) -> Symptom {
    report.outcomes[&id(name)].symptom.clone().expect("a failing test has a symptom")
}

#[test]
fn every_status_is_told_apart() {
    let Some(report) = run("\
from shop.prices import clamp
import unittest

def test_passes(): assert clamp(9, 1, 5) == 5
def test_fails(): assert clamp(0, 1, 5) == 1
def test_raises(): clamp()
def test_exits(): raise SystemExit(0)
def test_skips(): raise unittest.SkipTest('later')
def test_needs_a_fixture(thing): pass
async def test_waits(): pass

class TestGroup:
    def setup_method(self): self.high = 5
    def test_method(self): assert clamp(9, 1, self.high) == 5

class Old(unittest.TestCase):
    def setUp(self): raise ValueError('setup')
    def test_old(self): pass
")
    else {
        return;
    };
    assert_eq!(report.health, Health::Sound);
    let statuses: Vec<(&str, Status, Phase)> = report
        .outcomes
        .iter()
        .map(|(id, outcome)| (id.split_once("::").expect("an id").1, outcome.status, outcome.phase))
        .collect();
    let expected = [
        ("Old::test_old", Status::Error, Phase::Setup),
        ("TestGroup::test_method", Status::Passed, Phase::Call),
        ("test_exits", Status::Failed, Phase::Call),
        ("test_fails", Status::Failed, Phase::Call),
        ("test_needs_a_fixture", Status::Error, Phase::Setup),
        ("test_passes", Status::Passed, Phase::Call),
        ("test_raises", Status::Failed, Phase::Call),
        ("test_skips", Status::Skipped, Phase::Call),
        ("test_waits", Status::Error, Phase::Setup),
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn a_failing_comparison_shows_call_actual_and_expected_value() {
    let Some(report) = run("\
from shop.prices import clamp
def test_direct(): assert clamp(0, 1, 5) == 1
def test_turned(): assert 1 == clamp(0, 1, 5)
def test_names():
    value, low = 0, 1
    result = clamp(value, low, 5)
    assert result == low
def test_spread():
    for given, wanted in [((0, 1, 5), 1)]: assert clamp(*given) == wanted
def test_truth(): assert not (clamp(0, 1, 5) < 1)
")
    else {
        return;
    };
    for name in ["test_direct", "test_turned", "test_names", "test_spread"] {
        let Symptom { call, actual, expected, exception, .. } = symptom(&report, name);
        let seen = (call.as_deref(), actual.as_deref(), expected.as_deref(), exception);
        assert_eq!(seen, (Some("clamp(0, 1, 5)"), Some("0"), Some("1"), None), "{name}");
    }
    let truth = symptom(&report, "test_truth");
    assert_eq!((truth.call.as_deref(), truth.actual.as_deref()), (Some("clamp(0, 1, 5)"), Some("0")));
}

#[test]
fn something_raised_shows_class_message_and_call() {
    let Some(report) = run("from shop.prices import refuse\ndef test_it():\n    x = 'é'\n    assert refuse(x) == 3\n")
    else {
        return;
    };
    let Symptom { call, actual, expected, exception, .. } = symptom(&report, "test_it");
    assert_eq!(exception.as_deref(), Some("ValueError: no é"));
    assert_eq!((call.as_deref(), actual, expected.as_deref()), (Some("refuse('é')"), None, Some("3")));
}

#[test]
fn an_exit_inside_a_test_ends_in_no_verdict() {
    let Some(report) = run("import os\ndef test_a(): os._exit(1)\ndef test_b(): pass\n") else { return };
    assert_eq!(report.health, Health::NoEnd("exited with status 1".to_owned()));
    assert_eq!(report.all_passed(&[id("test_b")]).expect_err("no verdict").0, "exit_mismatch");
}

#[test]
fn an_exit_at_import_is_a_failed_collection() {
    let Some(report) = run("import sys\nsys.exit(0)\ndef test_a(): pass\n") else { return };
    assert_eq!(report.health.code(), "collect_failed");
    assert_eq!(report.all_passed(&[id("test_a")]).expect_err("it did not run").0, "collect_failed");
}

#[test]
fn lines_of_the_project_on_the_report_channel_are_forgery() {
    let forged = r#"{"nonce":"x","event":"test","id":"tests/test_prices.py::test_a","phase":"call","outcome":"passed","ms":1,"detail":""}"#;
    let Some(report) = run(&format!("import os\ndef test_a():\n    os.write(3, b'''{forged}\\n''')\n    assert 0\n"))
    else {
        return;
    };
    assert_eq!(report.health, Health::Forged);
}

#[test]
fn printed_lines_count_for_nothing() {
    let Some(report) = run("def test_a():\n    print('{\"event\":\"end\"}\\nPASSED test_a')\n    assert 0\n") else {
        return;
    };
    assert_eq!(report.health, Health::Sound);
    assert!(report.outcomes[&id("test_a")].failed_in_call());
}

#[test]
fn a_hook_that_makes_tests_pass_breaks_the_canary() {
    let text = "\
import sys
plain = sys.modules['basis_runner.plain']
plain.call = lambda function: ('call', 'passed', '', None)
def test_a(): assert 0
";
    let Some(report) = run(text) else { return };
    assert_eq!(report.health, Health::CanaryBroken);
}

#[test]
fn exit_handlers_and_threads_left_behind_change_nothing() {
    let text = "\
import atexit, os, threading, time
atexit.register(os._exit, 0)
def test_a(): threading.Thread(target=time.sleep, args=(60,)).start()
";
    let Some(report) = run(text) else { return };
    assert_eq!(report.health, Health::Sound);
    assert_eq!(report.all_passed(&[id("test_a")]), Ok(()));
}

#[test]
fn the_tree_cannot_replace_modules_of_the_interpreter_or_the_runner() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        ("_json.py", "raise SystemExit(0)"),
        ("basis_runner/plain.py", "raise SystemExit(0)"),
        ("sitecustomize.py", "import os; os._exit(0)"),
        ("string.py", "capwords = None"),
        ("tests/test_prices.py", "import string\ndef test_a(): assert string.capwords('a') == 'A'\n"),
    ];
    let report = bench.run(&files, &plain(), &Selection::files(["tests/test_prices.py"]));
    assert_eq!((report.health.clone(), report.all_passed(&[id("test_a")])), (Health::Sound, Ok(())));
}

#[test]
fn a_selected_test_that_is_not_there_is_missing() {
    let Some(bench) = Bench::open() else { return };
    let wanted = [id("test_a"), id("test_gone")];
    let text = "def test_a(): pass\ndef test_other(): assert 0\n";
    let report = bench.run(&[("tests/test_prices.py", text)], &plain(), &Selection::tests(&wanted));
    assert_eq!(report.outcomes.len(), 2);
    assert_eq!(report.all_passed(&wanted), Err(("ids_missing", format!("`{}` did not run", wanted[1]))));
}

#[test]
fn test_files_may_be_packages_and_have_helpers_beside_them() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        ("tests/__init__.py", ""),
        ("tests/shared.py", "ONE = 1"),
        ("tests/test_prices.py", "from .shared import ONE\ndef test_a(): assert ONE == 1\n"),
        ("checks/helper.py", "TWO = 2"),
        ("checks/test_more.py", "from helper import TWO\ndef test_b(): assert TWO == 2\n"),
    ];
    let report = bench.run(&files, &plain(), &Selection::files(["tests/test_prices.py", "checks/test_more.py"]));
    assert_eq!(report.all_passed(&[id("test_a"), "checks/test_more.py::test_b".to_owned()]), Ok(()));
}

#[test]
fn a_hanging_test_ends_at_the_limit() {
    let Some(bench) = Bench::open() else { return };
    let limits = Limits { wall: std::time::Duration::from_secs(1), ..Limits::default() };
    let files = [("tests/test_prices.py", "def test_a():\n    while True: pass\n")];
    let report = bench.run_within(&files, &plain(), &Selection::files(["tests/test_prices.py"]), &limits);
    assert_eq!(report.health, Health::TimedOut);
}

#[test]
fn code_that_runs_away_costs_the_processor_time_of_its_selection_and_no_more() {
    let Some(bench) = Bench::open() else { return };
    let patient = Limits { wall: Duration::from_secs(600), ..Limits::default() };
    let selection = Selection::files(["tests/test_prices.py"]).within(Some(Duration::from_secs(1)));
    let run = |text| bench.run_within(&[PACKAGE, ("tests/test_prices.py", text)], &plain(), &selection, &patient);
    let report = run("def test_one():\n    while True: pass\n");
    assert_eq!(report.health, Health::TimedOut);
    assert!(report.duration < patient.wall);
    // It cannot raise its limit again, and what it starts has the same one.
    let evasive = "import resource, subprocess, sys
def test_limit():
    try: resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    except ValueError: pass
    assert subprocess.run([sys.executable, '-c', 'while True: pass']).returncode < 0
";
    assert_eq!(run(evasive).all_passed(&[id("test_limit")]), Ok(()));
}

#[test]
fn coverage_tells_which_functions_each_test_enters() {
    let Some(bench) = Bench::open() else { return };
    let source = "def one():\n    return 1\n\ndef two():\n    return one() + 1\n\nATIMPORT = (lambda: 1)()\n";
    let tests = "from a import one, two\ndef test_one(): assert one() == 1\ndef test_two(): assert two() == 2\n";
    let selection = Selection::files(["tests/test_prices.py"]).with_coverage();
    let report = bench.run(&[("a.py", source), ("tests/test_prices.py", tests)], &plain(), &selection);
    let coverage = report.coverage.expect("it was asked for");
    let touching = |line| coverage.touching("a.py", source, line).map(|tests| tests.into_iter().collect::<Vec<_>>());
    assert_eq!(touching(5), Some(vec![id("test_two")]));
    assert_eq!(touching(2), Some(vec![id("test_one"), id("test_two")]));
    assert_eq!(touching(7), None);
}

#[test]
fn environments_share_the_layers_that_they_need() {
    let Some(bench) = Bench::with_empty_store() else { return };
    bench.environment(&plain());
    let count = || bench.layers.kept().expect("the store").len();
    let before = count();
    bench.environment(&setup(RunnerKind::Plain, &["other.py"]));
    assert_eq!((before, count()), (1, 1));
}

#[test]
fn a_script_sees_the_package_and_no_network() {
    let Some(bench) = Bench::open() else { return };
    let environment = bench.environment(&plain());
    let layer = bench.layers.layer(&crate::bench::tree(&[PACKAGE])).expect("a layer");
    let script = b"import socket\nfrom shop.prices import clamp\nassert clamp(9, 1, 5) == 5\n\
        try: socket.create_connection(('1.1.1.1', 53), 1)\nexcept OSError: print('offline')\n";
    let output = run_script(bench.backend.as_ref(), &environment, &[layer], ("repro.py", script), &Limits::default());
    let output = output.expect("a working sandbox");
    assert_eq!(
        (output.outcome, output.stdout.text().as_str()),
        (Outcome::Exited(0), "offline\n"),
        "{}",
        output.stderr.text()
    );
}

#[test]
fn packages_of_the_host_are_not_there_whichever_interpreter_runs() {
    let Some(mut bench) = Bench::open() else { return };
    let system = std::path::Path::new("/usr/bin/python3");
    let interpreters = [Some(bench.toolchain.clone()), Toolchain::discover(Some(system), &[]).ok()];
    for toolchain in interpreters.into_iter().flatten() {
        bench.toolchain = toolchain;
        let environment = bench.environment(&plain());
        let layer = bench.layers.layer(&crate::bench::tree(&[PACKAGE])).expect("a layer");
        let script = b"import sys, shop.prices\ntry: import pip\nexcept ImportError: print(sys.version.split()[0])\n";
        let output =
            run_script(bench.backend.as_ref(), &environment, &[layer], ("repro.py", script), &Limits::default());
        let output = output.expect("a working sandbox");
        assert_eq!(output.stdout.text().trim(), bench.toolchain.version, "{}", output.stderr.text());
    }
}
