//! Golden cases: a proof, input that is refused or accepted by both, and what is no data.

use crate::project::Project;
use crate::skills::tests::{Case, check_from};
use crate::testkit;

/// A package with a function that refuses paths that lead out of a folder.
fn project() -> Project {
    let mut project = testkit::project();
    project.tree.insert(
        "pkg/places.py",
        "def below(folder, name):\n    \"\"\"The path of a name below a folder. Raises ValueError when it leads out.\"\"\"\n    if '..' in name.split('/'):\n        raise ValueError(name)\n    return folder + '/' + name\n",
    );
    project.tree.insert(
        "tests/test_places.py",
        "from pkg.places import below\n\n\ndef test_inside():\n    assert below('a', 'b') == 'a/b'\n\n\ndef test_outside():\n    try:\n        below('a', '../b')\n    except ValueError:\n        return\n    assert below('a', '../b') == 'refused'\n",
    );
    project.tests.files.push("tests/test_places.py".into());
    project
}

#[test]
fn a_proof_is_input_that_only_the_guard_refuses() {
    let is_wanted = |text: &str| !text.contains("raise ValueError");
    let poc = |text: &str, reward, code| Case::file("poc.json", text, reward, code);
    check_from(
        "security",
        |workshop| testkit::record_in(workshop, &project(), "pkg/places.py", is_wanted),
        &[
            poc(r#"{"args": ["x", "y/../z"]}"#, 1.0, "ok"),
            poc(r#"{"args": ["x"], "kwargs": {"name": ".."}}"#, 1.0, "ok"),
            poc(r#"{"args": ["x", "y"]}"#, 0.0, "accepted_by_both"),
            poc(r#"{"args": ["x", 3]}"#, 0.0, "not_exploited|accepted_by_both"),
            poc(r#"{"args": []}"#, 0.0, "not_exploited|accepted_by_both"),
            poc("below('x', '..')", 0.0, "bad_format"),
            poc(r#"{"args": [], "code": "import os"}"#, 0.0, "bad_format"),
            Case::answer("Done.", 0.0, "no_artifact"),
        ],
    );
}

/// A package with a class and a function that refuse without any test that says so, beside a function that the record is about.
fn quiet(guarded: &str, tests: &str) -> Project {
    let mut project = testkit::project();
    let text = format!("def joined(folder, name):\n    return folder + '/' + name\n\n\n{guarded}");
    project.tree.insert("pkg/places.py", text);
    let text =
        format!("from pkg.places import *\n\n\ndef test_joined():\n    assert joined('a', 'b') == 'a/b'\n\n\n{tests}");
    project.tree.insert("tests/test_places.py", text);
    project.tests.files.push("tests/test_places.py".into());
    project
}

#[test]
fn a_guard_that_no_test_misses_is_found_and_may_give_none() {
    let guarded = "def below(folder, name):\n    if '..' in name.split('/'):\n        return None\n    return joined(folder, name)\n";
    let project = quiet(guarded, "def test_below():\n    assert below('a', 'b') == 'a/b'\n");
    let is_wanted = |text: &str| !text.contains("return folder + '/' + name");
    let poc = |text: &str, reward, code| Case::file("poc.json", text, reward, code);
    check_from(
        "security",
        |workshop| testkit::record_in(workshop, &project, "pkg/places.py", is_wanted),
        &[
            poc(r#"{"args": ["x", "../y"]}"#, 1.0, "ok"),
            poc(r#"{"args": ["x", "y"]}"#, 0.0, "accepted_by_both"),
            poc(r#"{"args": ["x"]}"#, 0.0, "not_exploited|accepted_by_both"),
        ],
    );
}

#[test]
fn a_class_is_called_to_run_what_makes_its_objects() {
    let guarded = "class Port:\n    def __init__(self, number):\n        if number > 65535:\n            raise ValueError(number)\n        self.number = number\n";
    let project = quiet(guarded, "def test_port():\n    assert Port(80).number == 80\n");
    let is_wanted = |text: &str| !text.contains("return folder + '/' + name");
    let poc = |text: &str, reward, code| Case::file("poc.json", text, reward, code);
    check_from(
        "security",
        |workshop| testkit::record_in(workshop, &project, "pkg/places.py", is_wanted),
        &[
            poc(r#"{"args": [70000]}"#, 1.0, "ok"),
            poc(r#"{"args": [70]}"#, 0.0, "accepted_by_both"),
            poc(r#"{"args": ["a"]}"#, 0.0, "not_exploited|accepted_by_both"),
        ],
    );
}
