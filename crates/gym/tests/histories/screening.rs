//! Which commits may be repairs, and how they are taken apart.

use basis_gym::sources::history::{Fix, Unfit, screen};

use crate::repository::Scene;

const BEFORE: &str =
    "def clamp(value, low, high):\n    if value < low:\n        return high\n    return min(value, high)\n";
const TESTS: &str = "from pkg.limits import clamp\n\n\ndef test_high():\n    assert clamp(9, 1, 5) == 5\n";
const MORE_TESTS: &str = "from pkg.limits import clamp\n\n\ndef test_high():\n    assert clamp(9, 1, 5) == 5\n\n\ndef test_low():\n    assert clamp(0, 1, 5) == 1\n";

fn after() -> String {
    BEFORE.replace("return high", "return low")
}

/// A repository in which `change` is the newest commit, screened.
fn screened(message: &str, change: &[(&str, &str)]) -> Result<Fix, Unfit> {
    let scene = Scene::new();
    let start = [
        ("pyproject.toml", "[project]\nname = \"pkg\"\nversion = \"1\"\n"),
        ("pkg/__init__.py", ""),
        ("pkg/limits.py", BEFORE),
        ("tests/test_limits.py", TESTS),
        ("CHANGES.md", "nothing yet\n"),
    ];
    scene.commit("start", &start);
    scene.commit(message, change);
    let (repository, commits) = scene.commits();
    screen(&scene.site(&repository), &commits[0])
}

#[test]
fn a_repair_is_taken_apart_by_what_its_files_are() {
    let text = after();
    let change =
        [("pkg/limits.py", text.as_str()), ("tests/test_limits.py", MORE_TESTS), ("CHANGES.md", "clamp returns low\n")];
    let fix = screened("Values below the bound come back as the upper one (#12)", &change)
        .unwrap_or_else(|unfit| panic!("{unfit:?}"));
    let project = &fix.project;
    assert_eq!(project.tree.text("pkg/limits.py"), Some(text.as_str()));
    assert_eq!(project.tree.text("tests/test_limits.py"), Some(MORE_TESTS));
    assert_eq!(project.tree.text("CHANGES.md"), Some("nothing yet\n"), "a changelog tells the repair");
    assert_eq!(fix.buggy.iter().collect::<Vec<_>>(), [("pkg/limits.py", BEFORE.as_bytes())]);
    assert_eq!(fix.base.text("tests/test_limits.py"), Some(TESTS));
    assert_eq!(fix.places.iter().map(|it| (it.function.as_str(), it.line)).collect::<Vec<_>>(), [("clamp", 3)]);
    assert_eq!(fix.report.as_deref(), Some("Values below the bound come back as the upper one"));
    let changed = fix.tests.text("tests/test_limits.py").expect("it is changed");
    assert!(changed.contains("test_low") && !changed.contains("test_high"), "{changed}");
    let revision = project.origin.revision.as_ref().expect("it has one");
    assert!(revision.is_fix && revision.commit.len() == 40);
    assert!(project.tests.before.as_ref().is_some_and(|date| *date > revision.date));
}

#[test]
fn other_commits_are_held_back_with_a_reason() {
    let text = after();
    let comment = format!("# A comment.\n{BEFORE}");
    let long = (0..210).map(|at| format!("x{at} = {at}\n")).collect::<String>() + BEFORE;
    let tests = ("tests/test_limits.py", MORE_TESTS);
    let cases: [(&str, Vec<(&str, &str)>); 7] = [
        ("no_source", vec![tests]),
        ("no_test", vec![("pkg/limits.py", &text)]),
        ("no_code", vec![("pkg/limits.py", &comment), tests]),
        ("too_long", vec![("pkg/limits.py", &long), tests]),
        ("adds_or_removes", vec![("pkg/limits.py", &text), ("pkg/more.py", "y = 1\n"), tests]),
        ("syntax", vec![("pkg/limits.py", "def clamp(:\n"), tests]),
        ("no_test", vec![("pkg/limits.py", &text), ("tests/data.json", "{}")]),
    ];
    for (code, change) in cases {
        assert_eq!(screened("change", &change).err().map(|unfit| unfit.code), Some(code));
    }
}

#[test]
fn the_first_commit_and_merges_are_no_repairs() {
    let scene = Scene::new();
    let first = scene.commit("start", &[("pkg/a.py", "x = 1\n"), ("tests/test_a.py", TESTS)]);
    scene.git(&["checkout", "--quiet", "-b", "side"]);
    scene.commit("side", &[("b.txt", "1")]);
    scene.git(&["checkout", "--quiet", "main"]);
    scene.commit("main", &[("c.txt", "1")]);
    scene.git(&["merge", "--quiet", "--no-edit", "side"]);
    let (repository, commits) = scene.commits();
    assert_eq!(commits.len(), 3, "the merge is left out");
    let last = commits.iter().find(|commit| commit.id == first).expect("it is there");
    assert_eq!(screen(&scene.site(&repository), last).err().map(|unfit| unfit.code), Some("first_commit"));
}
