//! Commits of crates, whose tests may stand in the files that they test.

use basis_gym::record::BugRecord;
use basis_gym::sources::history::{Fix, Unfit, screen};
use basis_gym::validate::Rejection;

use crate::lab;
use crate::repository::Scene;

const MANIFEST: &str = "[package]\nname = \"caps\"\nversion = \"0.1.0\"\nedition = \"2021\"\nlicense = \"MIT\"\n";
const LOCK: &str = "version = 3\n\n[[package]]\nname = \"caps\"\nversion = \"0.1.0\"\n";
const SOURCE: &str = "\
//! Values within limits.

/// The value, but at least `low` and at most `high`.
pub fn cap_value(value: i64, low: i64, high: i64) -> i64 {
    if value < low {
        return high;
    }
    value.min(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_values_become_high() {
        assert_eq!(cap_value(9, 1, 5), 5);
    }
}
";
const TEST: &str = "
    #[test]
    fn low_values_become_low() {
        assert_eq!(cap_value(0, 1, 5), 1);
    }
}
";
const OUTSIDE: &str = "#[test]\nfn low_values_become_low() {\n    assert_eq!(caps::cap_value(0, 1, 5), 1);\n}\n";

fn repaired() -> String {
    SOURCE.replace("return high", "return low")
}

/// The source with one test more in it.
fn tested(source: &str) -> String {
    format!("{}{TEST}", source.strip_suffix("}\n").expect("it ends with a brace"))
}

/// A repository in which `change` is the newest commit.
fn scene(change: &[(&str, &str)]) -> Scene {
    let scene = Scene::new();
    let start = [("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("src/lib.rs", SOURCE), ("README.md", "Limits.\n")];
    scene.commit("start", &start);
    scene.commit("Values below the bound come back as the upper one", change);
    scene
}

fn screened(change: &[(&str, &str)]) -> Result<Fix, Unfit> {
    let scene = scene(change);
    let (repository, commits) = scene.commits();
    screen(&scene.site(&repository), &commits[0])
}

fn proved(change: &[(&str, &str)]) -> Option<Result<BugRecord, Rejection>> {
    Some(lab::proved(lab::backend()?.as_ref(), &scene(change), lab::WALL))
}

#[test]
fn a_file_is_taken_apart_into_code_and_tests() {
    let text = tested(&repaired());
    let fix = screened(&[("src/lib.rs", &text), ("README.md", "They work.\n")]).unwrap_or_else(|it| panic!("{it:?}"));
    assert_eq!(fix.project.tree.text("src/lib.rs"), Some(text.as_str()));
    assert_eq!(fix.project.tree.text("README.md"), Some("Limits.\n"));
    assert_eq!(fix.buggy.text("src/lib.rs"), Some(tested(SOURCE).as_str()), "the tests are those of the commit");
    assert_eq!(fix.base.text("src/lib.rs"), Some(SOURCE));
    assert_eq!(fix.places.iter().map(|it| (it.function.as_str(), it.line)).collect::<Vec<_>>(), [("cap_value", 6)]);
    let changed = fix.tests_buggy.text("src/lib.rs").expect("its tests are changed");
    assert!(changed.contains("return high") && changed.contains("low_values") && !changed.contains("high_values"));
    assert_eq!(fix.project.tests.before.as_deref().map(str::len), Some(10));
}

#[test]
fn a_commit_needs_code_and_tests() {
    let cases: [(&str, Vec<(&str, String)>); 4] = [
        ("no_code", vec![("src/lib.rs", tested(SOURCE))]),
        ("no_test", vec![("src/lib.rs", repaired())]),
        ("syntax", vec![("src/lib.rs", tested(&SOURCE.replace("value.min(high)", "value.min(")))]),
        ("adds_or_removes", vec![("src/more.rs", "pub fn f() {}\n".to_owned()), ("tests/a.rs", OUTSIDE.to_owned())]),
    ];
    for (code, change) in cases {
        let change: Vec<(&str, &str)> = change.iter().map(|(path, text)| (*path, text.as_str())).collect();
        assert_eq!(screened(&change).err().map(|unfit| unfit.code), Some(code));
    }
}

#[test]
fn repairs_with_tests_inside_and_outside_become_records() {
    let inside = tested(&repaired());
    let outside = repaired();
    let cases: [(&[(&str, &str)], &str); 2] = [
        (&[("src/lib.rs", &inside)], "src/lib.rs::tests::low_values_become_low"),
        (&[("src/lib.rs", &outside), ("tests/api.rs", OUTSIDE)], "tests/api.rs::low_values_become_low"),
    ];
    for (change, test) in cases {
        let Some(record) = proved(change) else { return };
        let record = record.unwrap_or_else(|rejection| panic!("{rejection}"));
        assert_eq!(record.fail_to_pass, [test]);
        assert_eq!(record.pass_to_pass, ["src/lib.rs::tests::high_values_become_high"]);
        assert!(
            record.change.is_history() && record.buggy.text("src/lib.rs").is_some_and(|it| it.contains("return high"))
        );
        assert!(
            record.symptoms.iter().any(|it| it.call.as_deref() == Some("caps::cap_value(0, 1, 5)")
                || it.call.as_deref() == Some("cap_value(0, 1, 5)")),
            "{:?}",
            record.symptoms
        );
    }
}

#[test]
fn tests_that_need_what_the_commit_brings_are_no_repair() {
    let more =
        repaired().replace("#[cfg(test)]", "pub fn cap_low(value: i64) -> i64 {\n    value.max(1)\n}\n\n#[cfg(test)]");
    let test = "#[test]\nfn low() {\n    assert_eq!(caps::cap_low(0), 1);\n}\n";
    let Some(outcome) = proved(&[("src/lib.rs", &more), ("tests/api.rs", test)]) else { return };
    assert_eq!(outcome.err().map(|rejection| rejection.code()), Some("needs_interface"));
}
