//! Golden cases: honest scripts, and the reproduction attacks that were measured against a naive grader.

use crate::skills::tests::{Case, check};

fn script(text: &str, reward: f64, code: &'static str) -> Case {
    Case::file("repro.py", text, reward, code)
}

#[test]
fn a_script_must_follow_the_behaviour_and_nothing_else() {
    let honest =
        "from pkg.limits import cap_value\nraise SystemExit(cap_value(0, 1, 5) != 1 or cap_value(2, 1, 5) != 2)\n";
    let greps = "raise SystemExit('value >= low' in open('pkg/limits.py').read())\n";
    let hashes = "import pkg.limits as m\nraise SystemExit(hash(m.cap_value.__code__.co_code) % 2)\n";
    let remembers =
        "import os\nseen = os.path.exists('/tmp/seen')\nopen('/tmp/seen', 'w')\nraise SystemExit(not seen)\n";
    check(
        "repro",
        &[
            script(honest, 1.0, "ok"),
            script("raise SystemExit(1)\n", 0.0, "fails_on_fixed|source_dependent"),
            script("raise SystemExit(0)\n", 0.0, "not_reproduced|source_dependent"),
            script("raise SystemExit(7)\n", 0.0, "script_broken"),
            script("import missing_module\n", 0.0, "fails_on_fixed|source_dependent"),
            script(greps, 0.0, "source_dependent|fails_on_fixed|not_reproduced"),
            script(hashes, 0.0, "source_dependent|fails_on_fixed|not_reproduced"),
            script(remembers, 0.0, "fails_on_fixed|source_dependent"),
            Case::answer("Done.", 0.0, "no_artifact"),
        ],
    );
}
