//! What execution says about commits that may be repairs.

use std::collections::BTreeSet;

use basis_gym::record::BugRecord;
use basis_gym::validate::Rejection;

use crate::lab;
use crate::repository::Scene;

const LIMITS: &str =
    "def clamp(value, low, high):\n    if value < low:\n        return high\n    return min(value, high)\n";
const REPORT: &str =
    "from pkg.limits import clamp\n\n\ndef capped(values):\n    return [clamp(value, 1, 5) for value in values][1:]\n";
const TESTS: &str = "from pkg.limits import clamp\nfrom pkg.report import capped\nimport pkg.limits\n\n\ndef test_high():\n    assert clamp(9, 1, 5) == 5\n\n\ndef test_none():\n    assert capped([]) == []\n";

/// What becomes of a commit that changes these files and adds these tests; `None` when the machine has no sandboxes.
fn proved(files: &[(&str, &str)], tests: &str) -> Option<Result<BugRecord, Rejection>> {
    let backend = lab::backend()?;
    let scene = Scene::new();
    let start = [
        ("pkg/__init__.py", ""),
        ("pkg/limits.py", LIMITS),
        ("pkg/report.py", REPORT),
        ("tests/test_limits.py", TESTS),
    ];
    scene.commit("start", &start);
    let tests = format!("{TESTS}{tests}");
    let change: Vec<(&str, &str)> = files.iter().copied().chain([("tests/test_limits.py", tests.as_str())]).collect();
    scene.commit("Values come back wrong", &change);
    Some(lab::proved(backend.as_ref(), &scene, lab::WALL))
}

fn fixed_limits() -> String {
    LIMITS.replace("return high", "return low")
}

const TEST_LOW: &str = "\n\ndef test_low():\n    assert clamp(0, 1, 5) == 1\n";
const TEST_CAPPED: &str = "\n\ndef test_capped():\n    assert capped([0, 2]) == [1, 2]\n";

fn paths(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_repair_in_two_files_that_are_both_needed_becomes_a_record() {
    let report = REPORT.replace("[1:]", "");
    let (limits, tests) = (fixed_limits(), format!("{TEST_LOW}{TEST_CAPPED}"));
    let Some(record) = proved(&[("pkg/limits.py", &limits), ("pkg/report.py", &report)], &tests) else { return };
    let record = record.unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(record.fail_to_pass, ["tests/test_limits.py::test_capped", "tests/test_limits.py::test_low"]);
    assert_eq!(record.pass_to_pass, ["tests/test_limits.py::test_high", "tests/test_limits.py::test_none"]);
    assert_eq!(record.change.paths(), paths(&["pkg/limits.py", "pkg/report.py"]));
    assert_eq!(record.change.necessary, record.change.paths());
    assert!(record.change.is_history() && record.buggy.text("pkg/limits.py") == Some(LIMITS));
    let calls: Vec<&str> = record.symptoms.iter().filter_map(|symptom| symptom.call.as_deref()).collect();
    assert!(calls.contains(&"clamp(0, 1, 5)"), "{calls:?}");
}

#[test]
fn a_file_without_whose_change_everything_passes_is_not_needed() {
    let report = REPORT.replace("value in values", "each in values").replace("clamp(value", "clamp(each");
    let limits = fixed_limits();
    let Some(record) = proved(&[("pkg/limits.py", &limits), ("pkg/report.py", &report)], TEST_LOW) else { return };
    let record = record.unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(record.change.paths().len(), 2);
    assert_eq!(record.change.necessary, paths(&["pkg/limits.py"]));
}

#[test]
fn commits_whose_tests_show_no_repair_are_rejected_with_a_code() {
    let limits = fixed_limits();
    let more = format!("{LIMITS}\n\ndef clamp_all(values):\n    return [clamp(value, 1, 5) for value in values]\n");
    let broken = limits.replace("min(value", "max(value");
    let other = LIMITS.replace("min(value, high)", "min(high, value)");
    let by_attribute = "\n\ndef test_all():\n    assert pkg.limits.clamp_all([9]) == [5]\n";
    let by_import = "\n\nfrom pkg.limits import clamp_all\n\n\ndef test_all():\n    assert clamp_all([9]) == [5]\n";
    let known = "\n\ndef test_inside():\n    assert clamp(2, 1, 5) == 2\n";
    let cases = [
        ("needs_interface", more.as_str(), by_attribute),
        ("needs_interface", &more, by_import),
        ("no_f2p", &other, known),
        ("pass_to_fail", &broken, TEST_LOW),
    ];
    for (code, source, tests) in cases {
        let Some(outcome) = proved(&[("pkg/limits.py", source)], tests) else { return };
        assert_eq!(outcome.err().map(|rejection| rejection.code()), Some(code), "{tests}");
    }
}
