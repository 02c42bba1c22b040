//! Facts about test runs with pytest, which is fetched from the package index. Skipped, with the reason, without a network.

use basis_gym::languages::python::{Environment, Health, Phase, PythonError, Selection, Status, TestReport, run_tests};
use basis_gym::project::{RunnerKind, TestSetup};
use basis_gym::record::Symptom;
use basis_sandbox::Limits;
use std::time::Duration;

use crate::bench::{Bench, setup, skip, tree};

const PACKAGE: (&str, &str) = ("shop/prices.py", "def clamp(value, low, high):\n    return min(high, value)\n");
const TEST: &str = "tests/test_prices.py";

fn environment(bench: &Bench, setup: &TestSetup) -> Option<Environment> {
    match Environment::prepare(&bench.layers, &bench.toolchain, setup) {
        Ok(environment) => Some(environment),
        Err(error @ (PythonError::Requirements { .. } | PythonError::NoInstaller { .. })) => {
            skip(&error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn run_with(bench: &Bench, setup: &TestSetup, files: &[(&str, &str)], selection: &Selection) -> Option<TestReport> {
    let layer = bench.layers.layer(&tree(files)).expect("a layer");
    let environment = environment(bench, setup)?;
    Some(
        run_tests(bench.backend.as_ref(), &environment, &[layer], selection, &Limits::default())
            .expect("a working sandbox"),
    )
}

fn run(text: &str) -> Option<TestReport> {
    let bench = Bench::open()?;
    run_with(
        &bench,
        &setup(RunnerKind::Pytest, &[TEST]),
        &[PACKAGE, (TEST, text)],
        &Selection::files([TEST]).with_symptoms(),
    )
}

fn id(name: &str) -> String {
    format!("{TEST}::{name}")
}

#[test]
fn every_status_of_pytest_is_told_apart() {
    let Some(report) = run("\
import pytest, unittest
from shop.prices import clamp

@pytest.mark.parametrize('value', [9, 0])
def test_values(value): assert clamp(value, 1, 5) >= 1
@pytest.mark.xfail
def test_expected(): assert 0
@pytest.mark.xfail
def test_unexpected(): pass
@pytest.mark.skip
def test_skipped(): pass
@pytest.fixture
def broken():
    yield 1
    raise ValueError('late')
def test_teardown(broken): pass
def test_setup(nothing): pass

class Old(unittest.TestCase):
    def test_parts(self):
        for part in (0, 1):
            with self.subTest(part=part): self.assertEqual(part, 1)
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
        ("Old::test_parts", Status::Failed, Phase::Call),
        ("test_expected", Status::Xfail, Phase::Call),
        ("test_setup", Status::Error, Phase::Setup),
        ("test_skipped", Status::Skipped, Phase::Setup),
        ("test_teardown", Status::Error, Phase::Teardown),
        ("test_unexpected", Status::Xpass, Phase::Call),
        ("test_values[0]", Status::Failed, Phase::Call),
        ("test_values[9]", Status::Passed, Phase::Call),
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn a_session_that_a_test_begins_writes_its_lines() {
    let Some(report) = run("\
pytest_plugins = 'pytester'
def test_inner(pytester):
    pytester.makepyfile('def test_one(): pass\\ndef test_two(): assert 0')
    result = pytester.runpytest_inprocess('-v')
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(['*::test_one PASSED*', '*::test_two FAILED*'])
")
    else {
        return;
    };
    let outcome = &report.outcomes[&id("test_inner")];
    assert_eq!(outcome.status, Status::Passed, "{}", outcome.detail);
}

#[test]
fn symptoms_come_from_pytest_and_unittest_assertions() {
    let Some(report) = run("\
import pytest, unittest
from shop.prices import clamp
@pytest.mark.parametrize('value, wanted', [(0, 1)])
def test_parameters(value, wanted): assert clamp(value, 1, 5) == wanted
def test_close(): assert clamp(0, 1, 5) == pytest.approx(1)
def test_truth(): assert clamp(0, 1, 5)
class Old(unittest.TestCase):
    def test_equal(self): self.assertEqual(clamp(0, 1, 5), 1)
    def test_true(self): self.assertTrue(clamp(0, 1, 5) == 1)
")
    else {
        return;
    };
    let cases = [
        ("test_parameters[0-1]", "clamp(0, 1, 5)", "0", Some("1")),
        ("test_close", "clamp(0, 1, 5)", "0", Some("1")),
        ("test_truth", "clamp(0, 1, 5)", "0", None),
        ("Old::test_equal", "clamp(0, 1, 5)", "0", Some("1")),
        ("Old::test_true", "clamp(0, 1, 5) == 1", "False", Some("True")),
    ];
    for (name, call, actual, expected) in cases {
        let seen: Symptom = report.outcomes[&id(name)].symptom.clone().expect("a symptom");
        assert_eq!((seen.call.as_deref(), seen.actual.as_deref()), (Some(call), Some(actual)), "{name}");
        assert_eq!((seen.expected.as_deref(), seen.exception), (expected, None), "{name}");
    }
}

#[test]
fn attacks_on_pytest_end_in_no_pass() {
    let Some(bench) = Bench::open() else { return };
    let honest = (TEST, "from shop.prices import clamp\ndef test_low(): assert clamp(0, 1, 5) == 1\n");
    let attack = |files: &[(&str, &str)], code: &str| {
        let files = [&[honest], files].concat();
        let Some(report) = run_with(&bench, &setup(RunnerKind::Pytest, &[TEST]), &files, &Selection::files([TEST]))
        else {
            return;
        };
        assert_eq!(report.all_passed(&[id("test_low")]).expect_err("the test fails").0, code, "{files:?}");
    };
    let pass_all = "\
import _pytest.reports as r
old = r.TestReport.from_item_and_call
def new(cls, item, call):
    call.excinfo = None
    return old(item, call)
r.TestReport.from_item_and_call = classmethod(new)
def clamp(*a): return 0
";
    let conftest = "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_call(item): return 1\ndef pytest_ignore_collect(): return True\n";
    attack(&[PACKAGE, ("conftest.py", conftest)], "test_failed");
    attack(
        &[PACKAGE, ("pytest.ini", "[pytest]\naddopts = --co\n"), ("pytest.py", "raise SystemExit(0)")],
        "test_failed",
    );
    attack(&[PACKAGE, ("sitecustomize.py", "import os; os._exit(0)")], "test_failed");
    attack(&[("shop/prices.py", "import os\nos._exit(0)")], "exit_mismatch");
    attack(&[("shop/prices.py", "import pytest\npytest.exit('done', returncode=1)")], "collect_failed");
    attack(&[("shop/prices.py", "import pytest\ndef clamp(*a): pytest.exit('done', returncode=1)")], "canary_broken");
    attack(&[("shop/prices.py", "import pytest\ndef clamp(*a): pytest.skip('no')")], "test_failed");
    attack(&[("shop/prices.py", pass_all)], "canary_broken");
}

#[test]
fn fixtures_of_the_project_work_when_its_conftest_is_listed() {
    let Some(bench) = Bench::open() else { return };
    let files = [
        ("tests/conftest.py", "import pytest\n@pytest.fixture\ndef one(): return 1\n"),
        (TEST, "def test_one(one): assert one == 1\n"),
    ];
    let listed = setup(RunnerKind::Pytest, &[TEST, "tests/conftest.py"]);
    let Some(report) = run_with(&bench, &listed, &files, &Selection::files(&listed.files)) else { return };
    assert_eq!(report.all_passed(&[id("test_one")]), Ok(()));
    let unlisted = setup(RunnerKind::Pytest, &[TEST]);
    let report = run_with(&bench, &unlisted, &files, &Selection::files([TEST])).expect("the same environment");
    assert_eq!(report.outcomes[&id("test_one")].status, Status::Error);
}

#[test]
fn one_file_that_does_not_import_leaves_the_others_believable() {
    let Some(bench) = Bench::open() else { return };
    let files = [("tests/test_bad.py", "import nothing_like_it\n"), (TEST, "def test_one(): pass\n")];
    let both = setup(RunnerKind::Pytest, &["tests/test_bad.py", TEST]);
    let Some(report) = run_with(&bench, &both, &files, &Selection::files(&both.files)) else { return };
    let expected = "`tests/test_bad.py`: ModuleNotFoundError: No module named 'nothing_like_it'";
    assert_eq!(report.health, Health::CollectFailed(vec![expected.to_owned()]));
    assert_eq!(report.all_passed(&[id("test_one")]), Ok(()));
}

#[test]
fn selected_tests_run_whatever_holds_them_and_no_others() {
    let Some(bench) = Bench::open() else { return };
    let text = "\
import pytest, unittest

@pytest.mark.parametrize('value', ['a::b', '[c]'])
def test_values(value): pass
def test_other(): pass
class TestShop:
    class TestInner:
        def test_deep(self): pass
    def test_other(self): pass
class Old(unittest.TestCase):
    def test_old(self): pass
class TestMore(TestShop): pass
";
    let wanted =
        ["test_values[a::b]", "TestShop::TestInner::test_deep", "Old::test_old", "TestMore::test_other", "test_gone"];
    let wanted: Vec<String> = wanted.map(id).into();
    let files = [PACKAGE, (TEST, text)];
    let Some(report) = run_with(&bench, &setup(RunnerKind::Pytest, &[TEST]), &files, &Selection::tests(&wanted)) else {
        return;
    };
    let passed: Vec<String> = report.passing().into_iter().collect();
    let mut expected = wanted[..4].to_vec();
    expected.sort();
    assert_eq!((passed, report.outcomes.len()), (expected, 5));
    assert_eq!(report.outcomes[&wanted[4]].status, Status::Missing);
}

#[test]
fn a_test_that_takes_too_long_is_given_up_and_the_others_still_run() {
    let Some(bench) = Bench::open() else { return };
    let tests = "\
import unittest

class Old(unittest.TestCase):
    def test_long(self):
        for at in range(1000):
            with self.subTest(at=at):
                while True: pass

def test_short(): pass
";
    let selection = Selection { patience: Some(Duration::from_millis(200)), ..Selection::files([TEST]) };
    let Some(report) = run_with(&bench, &setup(RunnerKind::Pytest, &[TEST]), &[(TEST, tests)], &selection) else {
        return;
    };
    assert_eq!(report.health, Health::Sound);
    let long = &report.outcomes[&format!("{TEST}::Old::test_long")];
    assert_eq!((long.status, long.detail.as_str()), (Status::Failed, "TimeoutError: takes too long"));
    assert!(report.outcomes[&id("test_short")].passed());
}

#[test]
fn coverage_with_pytest_is_per_test() {
    let Some(bench) = Bench::open() else { return };
    let tests = "from shop.prices import clamp\ndef test_in(): clamp(1, 2, 3)\ndef test_out(): pass\n";
    let selection = Selection::files([TEST]).with_coverage();
    let Some(report) = run_with(&bench, &setup(RunnerKind::Pytest, &[TEST]), &[PACKAGE, (TEST, tests)], &selection)
    else {
        return;
    };
    let touching = report.coverage.expect("it was asked for").touching(PACKAGE.0, PACKAGE.1, 2).expect("a function");
    assert_eq!(touching.into_iter().collect::<Vec<_>>(), [id("test_in")]);
}

#[test]
fn calls_that_tests_make_are_recorded_as_source() {
    let Some(bench) = Bench::open() else { return };
    let module = "def pick(values, at=0, *more, key=None, **rest):\n    return values\n\n\ndef count(end):\n    yield from range(end)\n";
    let tests = "from shop.more import count, pick\n\ndef test_all():\n    two = [1, (2,)]\n    pick(two)\n    pick(two, 0, key=int)\n    pick(range(3), 1, 'x', y={'a': None})\n    pick({3}), pick(lambda: 0)\n    begun = iter('abc')\n    next(begun)\n    pick(begun, iter([1]))\n    assert list(begun) == ['b', 'c']\n    list(count(2))\n";
    let files = [PACKAGE, ("shop/more.py", module), (TEST, tests)];
    let selection = Selection::files([TEST]).with_coverage();
    let Some(report) = run_with(&bench, &setup(RunnerKind::Pytest, &[TEST]), &files, &selection) else { return };
    let coverage = report.coverage.expect("it was asked for");
    let calls = |line| coverage.calls_of("shop/more.py", module, line);
    assert_eq!(
        calls(2),
        [
            "pick([1, (2,)])",
            "pick([1, (2,)], key=int)",
            "pick(range(0, 3), 1, 'x', y={'a': None})",
            "pick(iter('bc'), iter([1]))"
        ]
    );
    assert_eq!(calls(6), ["list(count(2))"]);
}

#[test]
fn calls_of_methods_are_recorded_on_objects_made_as_theirs_were() {
    let Some(bench) = Bench::open() else { return };
    let module = "class Shelf:\n    def __init__(self, size, *, name='a'):\n        self.size = size\n\n    def fits(self, count):\n        return count <= self.size\n\n\nclass Deep(Shelf):\n    def __init__(self):\n        super().__init__(7)\n\n\nclass Plain:\n    def twice(self, value=1):\n        return 2 * value\n";
    let tests = "from shop.more import Deep, Plain, Shelf\n\ndef test_all():\n    shelf = Shelf(3, name='b')\n    shelf.fits(2)\n    Shelf(object()).fits\n    Deep().fits(1)\n    Plain().twice(4), Plain().twice()\n";
    let files = [PACKAGE, ("shop/more.py", module), (TEST, tests)];
    let selection = Selection::files([TEST]).with_coverage();
    let Some(report) = run_with(&bench, &setup(RunnerKind::Pytest, &[TEST]), &files, &selection) else { return };
    let coverage = report.coverage.expect("it was asked for");
    let calls = |line| coverage.calls_of("shop/more.py", module, line);
    assert_eq!(calls(2), ["Shelf(3, name='b')"]);
    assert_eq!(calls(6), ["Shelf(3, name='b').fits(2)", "Deep().fits(1)"]);
    assert_eq!(calls(16), ["Plain().twice(4)", "Plain().twice()"]);
}

#[test]
fn requirements_are_locked_once_and_their_layer_is_shared() {
    let Some(bench) = Bench::with_empty_store() else { return };
    let wanted = TestSetup { requirements: vec!["six".to_owned()], ..setup(RunnerKind::Pytest, &[TEST]) };
    let Some(first) = environment(&bench, &wanted) else { return };
    let count = || std::fs::read_dir(bench.store()).expect("the store").count();
    let before = count();
    let again = environment(&bench, &wanted).expect("nothing is fetched again");
    assert_eq!((first.lock(), before), (again.lock(), count()));
    let names: Vec<&str> = first.lock().iter().filter_map(|line| line.split("==").next()).collect();
    assert!(names.contains(&"six") && names.contains(&"pytest"), "{names:?}");
    assert!(first.lock().iter().all(|line| line.contains(" --hash=sha256:")));
}

#[test]
fn a_requirement_that_does_not_exist_is_named() {
    let Some(bench) = Bench::open() else { return };
    let wanted =
        TestSetup { requirements: vec!["no-such-package-anywhere-1".to_owned()], ..setup(RunnerKind::Pytest, &[TEST]) };
    let error = Environment::prepare(&bench.layers, &bench.toolchain, &wanted).expect_err("it does not exist");
    assert!(error.to_string().contains("no-such-package-anywhere-1"), "{error}");
}
