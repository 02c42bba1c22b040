//! Golden cases: honest scripts, and the reproduction attacks that were measured against a naive grader.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Build, Hidden, control};
use crate::draft;
use crate::issue::Issue;
use crate::skills::Skill;
use crate::skills::tests::{Case, check, check_in_rust, tasks};
use crate::testkit;

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

#[test]
fn a_script_has_to_enter_the_broken_function_in_whichever_process() {
    let (_directory, workshop, tasks) = tasks("repro");
    let hidden: Hidden = draft::hidden(&tasks[0]).expect("a hidden part");
    let buggy = workshop.blobs.tree(&hidden.buggy).expect("a tree");
    let misses = |text: &str| hidden.misses(&workshop, &tasks[0], &buggy, text).expect("a sandbox").is_some();
    let call = "from pkg.limits import cap_value; cap_value(0, 1, 5)";
    assert!(!misses(call));
    assert!(!misses(&format!("import subprocess, sys\nsubprocess.run([sys.executable, '-c', {call:?}])\n")));
    assert!(misses("import pkg.limits\nraise SystemExit(1)\n"));
}

#[test]
fn the_control_is_healthy_but_for_a_bug_somewhere_else() {
    let (_directory, workshop) = testkit::workshop();
    let record = testkit::record(&workshop);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 4 };
    let issue = Issue { call: "cap_value(0, 1, 5)".into(), expected: "1".into(), ..Issue::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let authoring = super::authoring(&record.tests).expect("scripts are written in it");
    let names = "from pkg.limits import cap_value";
    let id = control::find(&build, &record, &issue, (authoring, names), &mut rng);
    let control =
        workshop.blobs.tree(&id.expect("sandboxes work").expect("there is another function")).expect("a tree");
    assert_eq!(control.text("pkg/limits.py"), record.fixed.text("pkg/limits.py"));
    assert_ne!(
        control.text("pkg/report.py").expect("it is changed"),
        record.fixed.text("pkg/report.py").expect("text")
    );
}

#[test]
fn a_script_in_rust_is_an_example_of_the_crate() {
    let script = |body: &str, reward: f64, code| {
        Case::file("examples/repro.rs", &format!("use caps::cap_value;\nfn main() {{ {body} }}\n"), reward, code)
    };
    check_in_rust(
        "repro",
        &[
            script("assert_eq!(cap_value(0, 1, 5), 1);", 1.0, "ok"),
            script("std::process::exit(i32::from(cap_value(0, 1, 5) != 1));", 1.0, "ok"),
            script("std::process::exit(cap_value(2, 1, 5) as i32 - 1);", 0.0, "fails_on_fixed|source_dependent"),
            script("cap_value(0, 1, 5);", 0.0, "not_reproduced|source_dependent"),
            script("missing();", 0.0, "script_broken"),
            Case::answer("Done.", 0.0, "no_artifact"),
        ],
    );
}

#[test]
fn a_call_by_a_name_that_only_the_test_file_has_brings_what_it_means() {
    let mut project = testkit::project();
    project.tree.insert("pkg/__init__.py", "from pkg.limits import cap_value\n");
    project.tree.insert(
        "tests/test_limits.py",
        "from functools import partial\nfrom pkg import cap_value as limited\n\ncap_value = partial(limited, low=1)\n\n\ndef test_low():\n    assert cap_value(0, high=5) == 1\n\n\ndef test_high():\n    assert cap_value(7, high=5) == 5\n",
    );
    let (_directory, workshop) = testkit::workshop();
    let is_wanted = |text: &str| !text.contains("return low");
    let mut record = testkit::record_in(&workshop, &project, "pkg/limits.py", is_wanted);
    record.symptoms.retain(|symptom| symptom.test.contains("test_limits"));
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 4 };
    let made = super::Repro.build(&build, &record, &mut ChaCha8Rng::seed_from_u64(1)).expect("the record makes a task");
    assert!(made[0].prompt.contains("cap_value = partial(limited, low=1)"), "{}", made[0].prompt);
    let evidence = crate::gate::check(&workshop, &made[0]);
    assert!(evidence.passed, "{}", evidence.reason);
}
