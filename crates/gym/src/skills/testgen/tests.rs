//! Golden cases.

use rand::SeedableRng;

use super::{Build, Hidden, Skill, Testgen};
use crate::skills::tests::{Case, check, check_in_rust};
use crate::{draft, testkit};

const PATH: &str = "tests/test_cap_value_new.py";

fn suite(body: &str, reward: f64, code: &'static str) -> Case {
    Case::file(PATH, &format!("from pkg.limits import cap_value\n{body}"), reward, code)
}

#[test]
fn tests_must_accept_correct_code_however_it_is_written_and_catch_every_variant() {
    let thorough = "def test_all():\n    for value in range(-4, 10):\n        for low in (-2, 1, 4):\n            for high in (4, 5):\n                assert cap_value(value, low, high) == sorted((low, value, high))[1]\n";
    let reads = "import inspect\ndef test_source():\n    assert 'if value < low:' in inspect.getsource(cap_value)\n    assert inspect.getsource(cap_value).count('return') == 3\n";
    check(
        "testgen",
        &[
            suite(thorough, 1.0, "ok"),
            suite("def test_one():\n    assert cap_value(3, 1, 5) == 3\n", 0.0, "survivor"),
            suite("def test_wrong():\n    assert cap_value(3, 1, 5) == 4\n", 0.0, "gold_rejected"),
            suite("def test_true():\n    assert True\n", 0.0, "survivor"),
            suite(reads, 0.0, "equivalent_rejected|survivor"),
            suite("x = 1\n", 0.0, "no_tests"),
            suite("def cap_value(value, low, high):\n    pass\n", 0.0, "embedded_reference"),
            suite("def test_exit():\n    import os\n    os._exit(0)\n", 0.0, "exit_mismatch"),
            Case::file("tests/test_other.py", "def test_x():\n    pass\n", 0.0, "no_tests"),
        ],
    );
}

#[test]
fn tests_in_rust_use_the_crate_from_outside() {
    let suite = |body: &str, reward: f64, code| {
        Case::file("tests/cap_value_new.rs", &format!("use caps::cap_value;\n{body}"), reward, code)
    };
    // Bounds in the wrong order are among the calls that are asked for.
    let thorough = "#[test]\nfn all() {\n    for value in -4..10 { for low in [-2, 1, 4, 6] { for high in [1, 3, 4, 5] {\n        let expected = match () { () if value < low => low, () if value > high => high, () => value };\n        assert_eq!(cap_value(value, low, high), expected);\n    } } }\n}\n";
    check_in_rust(
        "testgen",
        &[
            suite(thorough, 1.0, "ok"),
            suite("#[test]\nfn one() { assert_eq!(cap_value(3, 1, 5), 3); }\n", 0.0, "survivor"),
            suite("#[test]\nfn wrong() { assert_eq!(cap_value(3, 1, 5), 4); }\n", 0.0, "gold_rejected"),
            suite("fn no_test() {}\n", 0.0, "no_tests"),
            suite("#[test]\nfn a() { missing(); }\n", 0.0, "collect_failed"),
            suite("fn cap_value2() {}\nmod a { pub fn cap_value() {} }\n", 0.0, "embedded_reference"),
        ],
    );
}

#[test]
fn mistakes_that_a_model_proposed_are_variants_where_calls_tell_them() {
    let (_directory, workshop) = testkit::workshop();
    let mut record = testkit::record(&workshop);
    let place = record.change.main().clone();
    let healthy = record.fixed.text(&place.path).expect("a source").to_owned();
    let mistake = |before: &str, after: &str| crate::record::Mutation {
        operator: "proposed".into(),
        path: place.path.clone(),
        start: healthy.find(before).expect("it is there"),
        end: healthy.find(before).expect("it is there") + before.len(),
        before: before.into(),
        after: after.into(),
        function: place.function.clone(),
        line: place.line,
    };
    // No operator makes the first, and nothing tells the second from the healthy code.
    record.words.mistakes =
        vec![mistake("return value", "return value * value"), mistake("return value", "return value + 0")];
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 6 };
    let task =
        Testgen.build(&build, &record, &mut rand_chacha::ChaCha8Rng::seed_from_u64(7)).expect("a task").remove(0);
    let hidden: Hidden = draft::hidden(&task).expect("it was just written");
    let texts: Vec<String> = hidden
        .variants
        .iter()
        .filter_map(|id| workshop.blobs.tree(id).expect("stored").text(&place.path).map(str::to_owned))
        .collect();
    assert!(texts.iter().any(|text| text.contains("value * value")), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("value + 0")), "{texts:?}");
}
