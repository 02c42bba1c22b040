//! Facts about runs of real crates in real sandboxes.

use crate::languages::{Call, Health, Observation, Selection, Status, TestReport};
use crate::project::Project;
use crate::testkit;
use crate::tree::Tree;

fn run(edit: impl Fn(&mut Project), selection: Option<Selection>) -> TestReport {
    let (_directory, workshop) = testkit::workshop();
    let mut project = testkit::rust_project();
    edit(&mut project);
    let selection = selection.unwrap_or_else(|| Selection::files(project.tests.files.iter()));
    workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox")
}

fn replace(tree: &mut Tree, path: &str, from: &str, to: &str) {
    let text = tree.text(path).expect("it is there").replace(from, to);
    tree.insert(path, text);
}

fn statuses(report: &TestReport) -> Vec<(&str, Status)> {
    report.outcomes.iter().map(|(id, outcome)| (id.as_str(), outcome.status)).collect()
}

#[test]
fn tests_of_the_library_and_of_files_of_their_own_pass() {
    let report = run(|_| (), None);
    assert_eq!(report.health, Health::Sound);
    let passed = |id| (id, Status::Passed);
    let expected = [
        "src/lib.rs::tests::equal_limits",
        "src/lib.rs::tests::high_values_become_high",
        "src/lib.rs::tests::low_values_become_low",
        "src/lib.rs::tests::others_stay",
        "tests/api.rs::of_nothing",
        "tests/api.rs::of_outliers",
        "tests/api.rs::of_some",
    ];
    assert_eq!(statuses(&report), expected.map(passed));
}

#[test]
fn only_selected_tests_run_and_missing_ones_are_missed() {
    let ids = ["tests/api.rs::of_some".to_owned(), "tests/api.rs::gone".to_owned(), "tests/gone.rs::a".to_owned()];
    let report = run(|_| (), Some(Selection::tests(&ids)));
    let expected = [
        ("tests/api.rs::gone", Status::Missing),
        ("tests/api.rs::of_some", Status::Passed),
        ("tests/gone.rs::a", Status::Missing),
    ];
    assert_eq!((statuses(&report).as_slice(), &report.health), (expected.as_slice(), &Health::Sound));
}

#[test]
fn every_way_to_end_a_test_has_its_status() {
    let tests = "\
#[test]
fn passes() {}
#[test]
fn fails() { assert_eq!(1 + 1, 3); }
#[test]
#[should_panic]
fn has_to_panic() { panic!(\"x\"); }
#[test]
#[should_panic]
fn does_not_panic() {}
#[test]
fn leaves() { std::process::exit(0); }
#[test]
fn aborts() { std::process::abort(); }
#[test]
fn returns_an_error() -> Result<(), String> { Err(\"no\".into()) }
#[test]
fn returns_early() { if 1 > 0 { return; } }
#[test]
#[ignore]
fn is_ignored() {}
";
    let report = run(|project| project.tree.insert("tests/api.rs", tests), Some(Selection::files(["tests/api.rs"])));
    let expected = [
        ("tests/api.rs::aborts", Status::Error),
        ("tests/api.rs::does_not_panic", Status::Failed),
        ("tests/api.rs::fails", Status::Failed),
        ("tests/api.rs::has_to_panic", Status::Passed),
        ("tests/api.rs::leaves", Status::Error),
        ("tests/api.rs::passes", Status::Passed),
        ("tests/api.rs::returns_an_error", Status::Failed),
        ("tests/api.rs::returns_early", Status::Passed),
    ];
    assert_eq!((statuses(&report).as_slice(), &report.health), (expected.as_slice(), &Health::Sound));
}

#[test]
fn a_test_that_runs_in_circles_is_ended_by_its_processor_time() {
    let tests = "#[test]\nfn a() { loop { std::hint::spin_loop(); } }\n";
    let selection = Selection::files(["tests/api.rs"]).within(Some(std::time::Duration::from_secs(1)));
    let report = run(|project| project.tree.insert("tests/api.rs", tests), Some(selection));
    assert_eq!(report.health, Health::TimedOut);
}

#[test]
fn a_foreign_line_in_the_report_spoils_it() {
    let forge = "pub fn total_capped(_: &[i64], _: i64) -> i64 { use std::io::Write as _; \
                 let mut channel = unsafe { <std::fs::File as std::os::fd::FromRawFd>::from_raw_fd(3) }; \
                 channel.write_all(b\"tests/api.rs::of_some\\n\").unwrap(); std::process::exit(0) }\n";
    let report = run(|project| project.tree.insert("src/lib.rs", forge), Some(Selection::files(["tests/api.rs"])));
    assert_eq!(report.health, Health::Forged);
}

#[test]
fn code_that_does_not_compile_is_said_to_be_so() {
    let report = run(|project| replace(&mut project.tree, "src/lib.rs", "value\n}", "missing\n}"), None);
    assert_eq!(
        report.health,
        Health::CollectFailed(vec!["it does not compile: cannot find value `missing` in this scope".to_owned()])
    );
    assert!(report.outcomes.values().all(|outcome| !outcome.passed()));
}

#[test]
fn a_failing_comparison_shows_its_call_and_both_values() {
    let selection = Selection::files(["src/lib.rs", "tests/api.rs"]).with_symptoms();
    let report = run(|project| replace(&mut project.tree, "src/lib.rs", "return low", "return high"), Some(selection));
    let symptom = report.outcomes["src/lib.rs::tests::low_values_become_low"].symptom.clone().expect("it compares");
    let seen = (symptom.call.as_deref(), symptom.actual.as_deref(), symptom.expected.as_deref());
    assert_eq!(seen, (Some("cap_value(0, 1, 5)"), Some("5"), Some("1")));
}

#[test]
fn calls_are_evaluated_alone_with_the_names_of_their_file() {
    let (_directory, workshop) = testkit::workshop();
    let project = testkit::rust_project();
    let environment = workshop.environment(&project.tests).expect("nothing is needed");
    let layer = workshop.layers.layer(&project.tree).expect("written");
    let call = |path: &str, source: &str| Call { path: path.to_owned(), source: source.to_owned() };
    let calls = [
        call("src/lib.rs", "cap_value(9, 1, 5)"),
        call("tests/api.rs", "total_capped(&[1], 5)"),
        call("tests/api.rs", "no_such_name(1)"),
        call("tests/api.rs", "[\"a\\\"b\"]"),
        call("src/lib.rs", "super::cap_value(1 / (cap_value(0, 0, 0)), 1, 5)"),
    ];
    let limits = workshop.suite_limits(&project.tests);
    let seen = environment.evaluate(workshop.backend.as_ref(), &[layer], &calls, &limits, None).expect("a sandbox");
    let value = |text: &str| Observation { value: Some(text.to_owned()), exception: None };
    let panic = Observation { value: None, exception: Some("attempt to divide by zero".to_owned()) };
    assert_eq!(seen, [value("5"), value("2"), Observation::default(), value("[\"a\\\"b\"]"), panic]);
}

#[test]
fn a_repair_is_judged_by_the_tests_that_were_hidden_in_its_file() {
    use crate::episode::{FileChange, Submission};
    use crate::skills::{Build, Skill as _, edit::Edit};
    use rand::SeedableRng as _;

    let (_directory, workshop) = testkit::workshop();
    let project = testkit::rust_project();
    let is_wanted = |text: &str| text.contains("value >= low {");
    let record = testkit::record_in(&workshop, &project, "src/lib.rs", is_wanted);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 6 };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let task = Edit.build(&build, &record, &mut rng).expect("a task").remove(0);
    let shown = workshop.blobs.tree(&task.context.tree).expect("stored");
    let text = shown.text("src/lib.rs").expect("it is there");
    assert!(!text.contains("others_stay") && text.contains("mod tests"), "{text}");
    let grade = |text: String| {
        let files = vec![FileChange { path: "src/lib.rs".to_owned(), content: Some(text) }];
        Edit.grade(&workshop, &task, &Submission { answer: String::new(), files }).expect("it is judged")
    };
    let repaired = text.replace("value >= low {", "value < low {");
    assert_eq!((grade(repaired.clone()).code.as_str(), grade(repaired).reward), ("ok", 1.0));
    assert_eq!(grade(text.replace("value >= low {", "value <= low - 1 || value == 2 {")).code, "f2p_failed");
}

#[test]
fn what_a_crate_depends_on_is_built_before_and_used_offline() {
    let (_directory, workshop) = testkit::workshop();
    let mut project = testkit::rust_project();
    let manifest =
        format!("{}\n[dependencies]\nitoa = \">=0.4\"\n", project.tree.text("Cargo.toml").expect("a manifest"));
    let toolchain = super::Toolchain::discover(&workshop.toolchains.search_path).expect("whoever tests has one");
    let lock = match super::resolve(&workshop.layers, &toolchain, &manifest, None) {
        Ok((lock, _)) => lock,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let (dated, kept) =
        super::resolve(&workshop.layers, &toolchain, &manifest, Some("2020-01-01")).expect("it is known");
    // An older cargo, or a registry that does not say when its crates were published, gives the versions of today.
    assert_eq!(dated.contains("version = \"0.4.4\""), kept.is_some(), "{dated}");
    project.tree.insert("Cargo.toml", manifest.clone());
    project.tree.insert("Cargo.lock", lock.clone());
    project.tests.requirements = vec![manifest, lock];
    project.tree.insert("tests/api.rs", "#[test]\nfn a() { assert_eq!(itoa::Buffer::new().format(12), \"12\"); }\n");
    let selection = Selection::files(["tests/api.rs"]);
    let report = workshop.run_tests(&project.tests, &[&project.tree], &selection).expect("a working sandbox");
    assert_eq!(
        (statuses(&report).as_slice(), &report.health),
        ([("tests/api.rs::a", Status::Passed)].as_slice(), &Health::Sound)
    );
    // The same environment, from what was kept.
    assert!(workshop.under(crate::languages::Surroundings::default()).environment(&project.tests).is_ok());
}

#[test]
fn examples_of_documentation_are_tests() {
    let selection = Selection::files(["src/lib.rs"]).with_symptoms();
    let report = run(testkit::leave_only_examples, Some(selection.clone()));
    let ids =
        ["doc(cap_value)", "doc(cap_value) #2", "doc(cap_value) #3", "doc(self)"].map(|it| format!("src/lib.rs::{it}"));
    let passed: Vec<_> = ids.iter().map(|id| (id.as_str(), Status::Passed)).collect();
    assert_eq!((statuses(&report), &report.health), (passed, &Health::Sound));
    let broken = |project: &mut Project| {
        testkit::leave_only_examples(project);
        replace(&mut project.tree, "src/lib.rs", "return high", "return value");
    };
    let report = run(broken, Some(selection));
    assert!(report.outcomes.values().all(|outcome| outcome.status == Status::Failed), "{:?}", statuses(&report));
    let symptom = report.outcomes[&ids[0]].symptom.clone().expect("it compares");
    let seen = (symptom.call.as_deref(), symptom.actual.as_deref(), symptom.expected.as_deref());
    assert_eq!(seen, (Some("cap_value(9, 1, 5)"), Some("9"), Some("5")));
}

#[test]
fn files_with_examples_are_test_files_of_a_library_that_runs_them() {
    let files = |manifest: &str, path: &str| {
        let mut tree = Tree::new();
        tree.insert("Cargo.toml", format!("[package]\nname = \"a\"\n{manifest}"));
        tree.insert(path, "");
        tree.insert("src/a.rs", "/// ```\n/// a::f();\n/// ```\npub fn f() {}\n");
        tree.insert("src/b.rs", "/// ```text\n/// a::f();\n/// ```\npub fn f() {}\n");
        super::test_files(&tree)
    };
    assert_eq!(files("", "src/lib.rs"), ["src/a.rs"]);
    assert_eq!(files("[lib]\ndoctest = false\n", "src/lib.rs"), [""; 0]);
    assert_eq!(files("", "src/main.rs"), [""; 0]);
}

#[test]
fn an_example_that_does_not_compile_leaves_the_others() {
    let edit = |project: &mut Project| {
        testkit::leave_only_examples(project);
        let more = "/// ```\n/// caps::gone();\n/// ```\npub fn a() {}\n\n/// ```\n/// let x: u8 = \"\";\n/// ```\npub fn b() {}\n\n/// ```\n/// }\n/// ```\npub fn c() {}\n";
        let text = format!("{}{more}", project.tree.text("src/lib.rs").expect("it is there"));
        project.tree.insert("src/lib.rs", text);
    };
    let report = run(edit, Some(Selection::files(["src/lib.rs"])));
    let detail = |name: &str| {
        let outcome = &report.outcomes[&format!("src/lib.rs::doc({name})")];
        (outcome.status, outcome.detail.clone())
    };
    let skipped = |reason: &str| (Status::Skipped, format!("does not compile: {reason}"));
    assert_eq!(detail("a"), skipped("cannot find function `gone` in crate `caps`"));
    assert_eq!(detail("b"), skipped("mismatched types"));
    assert_eq!(detail("c"), skipped("it is no code"));
    assert_eq!((report.passing().len(), &report.health), (4, &Health::Sound));
    let asked = ["src/lib.rs::doc(a)".to_owned(), "src/lib.rs::doc(self)".to_owned()];
    let report = run(edit, Some(Selection::tests(&asked)));
    assert_eq!(report.passing(), asked[1..]);
    assert_eq!(report.all_passed(&asked).expect_err("it was asked for").0, "collect_failed");
}

#[test]
fn examples_of_a_crate_of_the_first_edition_run_beside_the_tests_that_it_lists() {
    let edit = |project: &mut Project| {
        testkit::leave_only_examples(project);
        let manifest =
            "[package]\nname = \"caps\"\nversion = \"0.1.0\"\n\n[[test]]\nname = \"api\"\npath = \"tests/api.rs\"\n";
        project.tree.insert("Cargo.toml", manifest);
        project.tests.requirements[0] = manifest.to_owned();
        replace(&mut project.tree, "tests/api.rs", "use caps", "extern crate caps;\nuse caps");
        replace(
            &mut project.tree,
            "src/lib.rs",
            "/// use caps::cap_value;",
            "/// extern crate caps;\n/// use caps::cap_value;",
        );
    };
    let report = run(edit, Some(Selection::files(["src/lib.rs", "tests/api.rs"])));
    assert_eq!((report.passing().len(), report.outcomes.len(), &report.health), (7, 7, &Health::Sound));
}

#[test]
fn calls_of_a_file_with_nothing_but_examples_have_the_names_of_those() {
    let (_directory, workshop) = testkit::workshop();
    let mut project = testkit::rust_project();
    testkit::leave_only_examples(&mut project);
    let environment = workshop.environment(&project.tests).expect("nothing is needed");
    let layer = workshop.layers.layer(&project.tree).expect("written");
    let calls = ["cap_value(9, 1, 5)", "no_such_name(1)", "total_capped(&[1, 9], 5)"]
        .map(|source| Call { path: "src/lib.rs".to_owned(), source: source.to_owned() });
    let limits = workshop.suite_limits(&project.tests);
    let seen = environment.evaluate(workshop.backend.as_ref(), &[layer], &calls, &limits, None).expect("a sandbox");
    let value = |text: &str| Observation { value: Some(text.to_owned()), exception: None };
    assert_eq!(seen, [value("5"), Observation::default(), value("7")]);
}

#[test]
fn a_repair_is_judged_by_the_examples_of_the_healthy_tree() {
    use crate::episode::{FileChange, Submission};
    use crate::skills::{Build, Skill as _, edit::Edit};
    use rand::SeedableRng as _;

    let (_directory, workshop) = testkit::workshop();
    let mut project = testkit::rust_project();
    testkit::leave_only_examples(&mut project);
    replace(&mut project.tree, "src/lib.rs", "```should_panic", "```ignore");
    // Where values say themselves what they equal, one more is not found by looking at the code.
    let own = "pub struct Own;\nimpl PartialEq<u8> for Own { fn eq(&self, _: &u8) -> bool { false } }\n";
    let text = project.tree.text("src/lib.rs").expect("it is there").to_owned() + own;
    project.tree.insert("src/lib.rs", text);
    // What else is tested does not notice.
    project.tree.insert("tests/api.rs", "#[test]\nfn low() { assert_eq!(caps::cap_value(0, 1, 5), 1); }\n");
    let is_wanted = |text: &str| text.contains("value <= high {");
    let record = testkit::record_in(&workshop, &project, "src/lib.rs", is_wanted);
    assert!(record.fail_to_pass.iter().all(|id| id.starts_with("src/lib.rs::doc(")), "{:?}", record.fail_to_pass);
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 6 };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let task = Edit.build(&build, &record, &mut rng).expect("a task").remove(0);
    let broken = workshop.blobs.tree(&task.context.tree).expect("stored");
    let broken = broken.text("src/lib.rs").expect("it is there");
    let healthy = record.fixed.text("src/lib.rs").expect("it is there");
    let grade = |text: &str| {
        let files = vec![FileChange { path: "src/lib.rs".to_owned(), content: Some(text.to_owned()) }];
        Edit.grade(&workshop, &task, &Submission { answer: String::new(), files }).expect("it is judged").code
    };
    assert_eq!(grade(healthy), "ok");
    assert_eq!(grade(&healthy.replace("/// ", "// ")), "ok", "without its documentation");
    assert_eq!(
        grade(&broken.replace("(9, 1, 5), 5)", "(9, 1, 5), 9)").replace("/// ```\n", "/// ```text\n")),
        "f2p_failed"
    );
    assert_eq!(grade(&broken.replace("/// ", "// ")), "f2p_failed");
    // Copies of examples expect other values, so that a value that equals everything is found out.
    let any = "\n#[derive(Debug)]\npub struct Any;\nimpl<T> PartialEq<T> for Any { fn eq(&self, _: &T) -> bool { true } }\nimpl std::ops::AddAssign<Any> for i64 { fn add_assign(&mut self, _: Any) { *self += 3 } }\n";
    let equal =
        healthy.replace(") -> i64 {", ") -> Any { Any }\nfn other(value: i64, low: i64, high: i64) -> i64 {") + any;
    assert_eq!(grade(&equal), "canary_broken");
}
