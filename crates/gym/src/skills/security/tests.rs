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
