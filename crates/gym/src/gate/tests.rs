//! Good tasks pass all gates; of the bad ones each is stopped by the right gate for the right reason.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use rand::SeedableRng;

use super::bad_tests::{BAD, Bad, spoiled};
use super::{Depth, Difficulty, Examination, among, examine, trivial_beyond_share};
use crate::grade::Workshop;
use crate::parallel;
use crate::skills::{Build, find};
use crate::task::Task;
use crate::testkit;

/// The tasks of one skill from the testkit's bug.
fn good(workshop: &Workshop, skill: &str) -> Vec<Task> {
    let record = testkit::record(workshop);
    let build = Build { workshop, max_turns: 8, max_variants: 6 };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    find(skill).expect("a known skill").build(&build, &record, &mut rng).expect("the record makes tasks")
}

#[test]
fn every_bad_task_is_rejected_with_the_right_reason_and_no_good_one() {
    let (_directory, workshop) = testkit::workshop();
    let skills = ["localize", "edit", "testgen", "repro", "review", "bugfix"];
    let good: Vec<(&str, Vec<Task>)> = skills.iter().map(|skill| (*skill, good(&workshop, skill))).collect();
    let shallow = Depth { reference: 2, nothing: 1, attacks: false };
    for (skill, tasks) in &good {
        let examination = examine(&workshop, &tasks[0], shallow);
        assert!(examination.passed(), "{skill}: {} {:?}", examination.gate, examination.objection);
        assert!(!examination.runs.is_empty() && examination.digest.len() == 32);
    }
    let first = |skill: &str| &good.iter().find(|(name, _)| *name == skill).expect("a known skill").1[0];
    let wrong = parallel::map(BAD, 4, &AtomicBool::new(false), &|bad: &Bad| {
        let mut task = spoiled(&workshop, first(bad.skill), bad.spoil);
        if bad.name == "prompt has a line of the fix" {
            task = told(&workshop, &task);
        }
        // Chance is given many occasions to show itself; each stops at the first.
        let reference = if bad.reasons.contains("flaky") { 24 } else { 2 };
        let examination = examine(&workshop, &task, Depth { reference, nothing: 1, attacks: bad.gate == "G7" });
        let found = examination.objection.as_ref().map_or("accepted", |objection| objection.code.as_str());
        let is_right = bad.reasons.split('|').any(|reason| reason == found);
        (!is_right).then(|| {
            format!("{}: {} {:?}, expected {}", bad.name, examination.gate, examination.objection, bad.reasons)
        })
    });
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} bad tasks were not rejected as they should be:\n{}", wrong.len(), wrong.join("\n"));
    testkit::document("bad-tasks.md", &document());
}

/// The task with a long line in its solution, and the line in its prompt.
fn told(workshop: &Workshop, task: &Task) -> Task {
    let line = "return low if value < low else high if value > high else value";
    let gold =
        |text: &str| text.replace("return value", "return low if value < low else high if value > high else value");
    let mut task = spoiled(workshop, task, super::bad_tests::Spoil::Gold(gold));
    task.prompt.push_str(line);
    task.sealed()
}

/// What only several tasks together show: name, tasks, gate and reason.
type Together = (&'static str, Vec<Task>, &'static str, &'static str);

fn together(workshop: &Workshop) -> Vec<Together> {
    let review = good(workshop, "review");
    let localize = good(workshop, "localize").remove(0);
    let other = |change: &dyn Fn(&mut Task)| {
        let mut task = localize.clone();
        change(&mut task);
        task.sealed()
    };
    let mut yes = review[1].clone();
    yes.hidden["label"] = serde_json::json!("YES");
    let long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
    let near = |end: &'static str| {
        other(&move |task| {
            task.prompt = format!("{long} {end}");
            task.family = end.into();
        })
    };
    vec![
        ("unbalanced pair", vec![review[0].clone(), yes.sealed()], "G2", "unbalanced_pair"),
        ("task without the other of its pair", vec![review[0].clone()], "G2", "unpaired"),
        ("right changes that are longer than wrong ones", longer(&review), "G8", "told_by_appearance"),
        ("the same task again", vec![localize.clone(), localize.clone()], "G10", "duplicate"),
        (
            "two tasks of one bug and skill",
            vec![localize.clone(), other(&|task| task.prompt.push_str(" Please."))],
            "G10",
            "same_family",
        ),
        ("nearly the same prompt", vec![near("fifteen"), near("sixteen")], "G10", "near_duplicate"),
        ("project of a public benchmark", vec![other(&|task| task.project = "Django".into())], "G11", "benchmark"),
    ]
}

/// Twenty pairs; each right change has one line more.
fn longer(review: &[Task]) -> Vec<Task> {
    let side = |task: &Task, at: usize| {
        let mut task = task.clone();
        let extra = if task.hidden["label"] == "YES" { "+    # more\n" } else { "" };
        task.prompt = format!("Change {at}\n--- a.py\n+++ a.py\n@@ -1 +1 @@\n-    a = {at}\n+    b = {at}\n{extra}");
        (task.family, task.pair) = (format!("{}{at}", task.family), format!("{}{at}", task.pair));
        task.sealed()
    };
    (0..20).flat_map(|at| review.iter().map(move |task| side(task, at)).collect::<Vec<_>>()).collect()
}

#[test]
fn what_only_several_tasks_show_is_rejected_too() {
    let (_directory, workshop) = testkit::workshop();
    for (name, tasks, gate, reason) in together(&workshop) {
        let tasks: Vec<&Task> = tasks.iter().collect();
        let found = among(&tasks);
        assert!(found.iter().any(|(_, by, objection)| *by == gate && objection.code == reason), "{name}: {found:?}");
    }
    let review = good(&workshop, "review");
    assert!(among(&review.iter().collect::<Vec<_>>()).is_empty());
}

fn document() -> String {
    let mut text = String::from(
        "# Bad tasks\n\nEach is made from a good task by one change (`crates/gym/src/gate/bad_tests.rs`, `tests.rs`). A test puts all of them before the\ngates of `basis gate PACK --strict` and fails if one passes or is stopped for another reason. Several reasons: chance decides which\nrun shows it first.\n\n| bad task | skill | gate | reason |\n| --- | --- | --- | --- |\n",
    );
    for bad in BAD {
        let reasons = bad.reasons.replace('|', " or ");
        let _ = writeln!(text, "| {} | {} | {} | {reasons} |", bad.name, bad.skill, bad.gate);
    }
    let several = [
        ("unbalanced pair", "review", "G2", "unbalanced_pair"),
        ("task without the other of its pair", "review", "G2", "unpaired"),
        ("right changes that are longer than wrong ones", "review", "G8", "told_by_appearance"),
        ("the same task again", "localize", "G10", "duplicate"),
        ("two tasks of one bug and skill", "localize", "G10", "same_family"),
        ("nearly the same prompt", "localize", "G10", "near_duplicate"),
        ("project of a public benchmark", "localize", "G11", "benchmark"),
    ];
    for (name, skill, gate, reason) in several {
        let _ = writeln!(text, "| {name} | {skill} | {gate} | {reason} |");
    }
    let _ = write!(text, "\n{} bad tasks.\n", BAD.len() + several.len());
    text
}

#[test]
fn the_bound_on_flaky_judgments_falls_with_repeats() {
    let bound = |reference| Depth { reference, nothing: 1, attacks: false }.flake_bound();
    assert!((bound(5) - 0.451).abs() < 1e-3 && (bound(10) - 0.259).abs() < 1e-3 && (bound(30) - 0.095).abs() < 1e-3);
}

#[test]
fn trivial_tasks_may_make_up_a_tenth() {
    let examination = |at: usize| {
        let who = if at < 4 { "a guess" } else { "" };
        let difficulty = Difficulty { trivial: who.into(), ..Difficulty::default() };
        Examination {
            task: at.to_string(),
            skill: "localize".into(),
            grader: "localize/1".into(),
            environment: String::new(),
            gate: String::new(),
            objection: None,
            difficulty,
            runs: Vec::new(),
            digest: String::new(),
        }
    };
    let beyond = |count: usize| {
        let examinations: Vec<Examination> = (0..count).map(examination).collect();
        trivial_beyond_share(&examinations).into_iter().map(|(it, _)| it.task.clone()).collect::<Vec<_>>()
    };
    assert_eq!(beyond(20), ["2", "3"]);
    assert!(beyond(40).is_empty());
}

#[test]
fn the_reference_lists_every_gate() {
    let mut text = String::from(
        "# Gates\n\nWhat `basis gate PACK --strict` asks of every task, in this order; the first objection ends it. Without `--strict`, and when a pack is\nmade, only G2 and G3 are asked, twice, and of a pack that is made what changes look like (G8). Each answer keeps its evidence: what was handed in, the grade and the time of each run, the grader's\nversion, and a hash of interpreter and test setup. `bad-tasks.md` has tasks that each gate stops.\n\n| gate | question |\n| --- | --- |\n",
    );
    for gate in super::GATES {
        let _ = writeln!(text, "| {} | {} |", gate.code, gate.question);
    }
    text.push_str("\nOf all tasks of a pack together:\n\n| gate | question |\n| --- | --- |\n");
    for (code, question) in super::AMONG.iter().chain(&[("G8", "are at most a tenth of the tasks trivial?")]) {
        let _ = writeln!(text, "| {code} | {question} |");
    }
    let depth = Depth::default();
    let _ = write!(
        text,
        "\nThe reference is judged {} times: in other time zones and with other hashes of strings, the last ones several at once.\nSo many agreeing judgments leave a share of flaky ones of at most {:.0} % (95 %).\n",
        depth.reference,
        100.0 * depth.flake_bound()
    );
    testkit::document("gates.md", &text);
}
