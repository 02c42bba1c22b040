//! Commits of packages for node.

use basis_gym::record::BugRecord;
use basis_gym::sources::history::screen;
use basis_gym::validate::Rejection;

use crate::lab;
use crate::repository::Scene;

const MANIFEST: &str = "{\"name\": \"caps\", \"version\": \"1.0.0\"}\n";
const SOURCE: &str = "\
exports.capValue = function capValue(value, low, high) {
  if (value < low) {
    return high;
  }
  return Math.min(value, high);
};
";
const TESTS: &str = "\
const test = require('node:test');
const assert = require('node:assert');
const caps = require('..');

test('high values become high', () => {
  assert.strictEqual(caps.capValue(9, 1, 5), 5);
});
";
const TEST: &str = "
test('low values become low', () => {
  assert.strictEqual(caps.capValue(0, 1, 5), 1);
});
";

fn scene(change: &[(&str, &str)]) -> Scene {
    let scene = Scene::new();
    scene.commit("start", &[("package.json", MANIFEST), ("index.js", SOURCE), ("test/caps.test.js", TESTS)]);
    scene.commit("Values below the bound come back as the upper one", change);
    scene
}

/// What becomes of a commit; `None` when the machine has no sandboxes or no node.
fn proved(change: &[(&str, &str)]) -> Option<Result<BugRecord, Rejection>> {
    let backend = lab::backend()?;
    let scene = scene(change);
    match basis_gym::languages::javascript::Toolchain::discover(&scene.search_path()) {
        Ok(_) => Some(lab::proved(backend.as_ref(), &scene, lab::WALL)),
        Err(error) => {
            lab::skip(&error);
            None
        }
    }
}

#[test]
fn a_repair_that_tests_of_node_show_becomes_a_record() {
    let (repaired, tests) = (SOURCE.replace("return high", "return low"), format!("{TESTS}{TEST}"));
    let Some(record) = proved(&[("index.js", &repaired), ("test/caps.test.js", &tests)]) else { return };
    let record = record.unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(record.fail_to_pass, ["test/caps.test.js::low values become low"]);
    assert_eq!(record.pass_to_pass, ["test/caps.test.js::high values become high"]);
    assert_eq!(record.change.main().function, "capValue");
    assert_eq!(record.report.as_deref(), Some("Values below the bound come back as the upper one"));
}

#[test]
fn commits_that_show_no_repair_are_rejected_with_a_code() {
    let repaired = SOURCE.replace("return high", "return low");
    let more = format!("{repaired}\nexports.twice = function twice(value) {{\n  return value * 2;\n}};\n");
    let other = SOURCE.replace("Math.min(value, high)", "Math.min(high, value)");
    let broken = repaired.replace("Math.min", "Math.max");
    let by_name = "\ntest('doubles', () => {\n  assert.strictEqual(caps.twice(2), 4);\n});\n";
    let known = "\ntest('others stay', () => {\n  assert.strictEqual(caps.capValue(2, 1, 5), 2);\n});\n";
    for (code, source, test) in
        [("needs_interface", &more, by_name), ("no_f2p", &other, known), ("pass_to_fail", &broken, TEST)]
    {
        let Some(outcome) = proved(&[("index.js", source), ("test/caps.test.js", &format!("{TESTS}{test}"))]) else {
            return;
        };
        assert_eq!(outcome.err().map(|rejection| rejection.code()), Some(code), "{test}");
    }
}

#[test]
fn comments_and_documentation_are_no_repair() {
    let text = format!("// Why.\n{SOURCE}");
    let scene = scene(&[("index.js", &text), ("test/caps.test.js", &format!("{TESTS}{TEST}"))]);
    let (repository, commits) = scene.commits();
    assert_eq!(screen(&scene.site(&repository), &commits[0]).err().map(|unfit| unfit.code), Some("no_code"));
}
