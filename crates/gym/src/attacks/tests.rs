//! The whole battery on tasks of every skill, built and graded for real.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rand::SeedableRng;

use super::battery::{Blow, blow, last, rewarded};
use super::{Attack, all, on};
use crate::episode::Grade;
use crate::gate;
use crate::grade::Workshop;
use crate::grade::verdict::{Table, full, nothing};
use crate::languages;
use crate::parallel;
use crate::skills::{ALL, Build};
use crate::task::Task;
use crate::testkit;

/// Tells the mutation that is wanted by the text that it gives.
type IsWanted = fn(&str) -> bool;

/// Tasks of all skills from two bugs: a guard that is gone, and a sign that is wrong.
fn tasks(workshop: &Workshop) -> Vec<Task> {
    let wrong: [(&str, IsWanted); 2] = [
        ("pkg/limits.py", |text| !text.contains("return low")),
        ("pkg/report.py", |text| text.contains("total - cap_value")),
    ];
    let mut tasks = Vec::new();
    let mut crate_of_rust = testkit::rust_project();
    let documented = format!("//! ```\n//! assert_eq!(caps::cap_value(7, 1, 5), 5);\n//! ```\n{}", testkit::RUST_LIB);
    crate_of_rust.tree.insert("src/lib.rs", documented);
    let rust = testkit::record_in(workshop, &crate_of_rust, "src/lib.rs", |text| {
        !text.contains("return low") && text.contains("return high")
    });
    let python = wrong.map(|(path, is_wanted)| testkit::record_of(workshop, path, is_wanted));
    for record in python.iter().chain([&rust]) {
        let build = Build { workshop, max_turns: 8, max_variants: 6 };
        let language = languages::of_runner(record.tests.runner);
        for skill in ALL.iter().filter(|skill| skill.speaks(language)) {
            // One kind of refactoring is drawn for each task.
            let seeds = if skill.name() == "refactor" { 1..7 } else { 7..8 };
            for seed in seeds {
                let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
                let made = skill.build(&build, record, &mut rng).unwrap_or_default();
                for task in made {
                    if skill.name() != "refactor" || !tasks.iter().any(|known| same_kind(known, &task)) {
                        tasks.push(task);
                    }
                }
            }
        }
    }
    tasks
}

/// Whether two refactorings ask for the same in other words.
fn same_kind(one: &Task, other: &Task) -> bool {
    let start = |task: &Task| task.prompt.split(' ').next().unwrap_or_default().to_owned();
    one.skill == other.skill && start(one) == start(other)
}

fn blows(workshop: &Workshop, tasks: &[Task]) -> Vec<Blow> {
    let pairs: Vec<(&Attack, &Task)> =
        tasks.iter().flat_map(|task| on(task).map(move |attack| (attack, task))).collect();
    let struck = parallel::map(&pairs, 4, &AtomicBool::new(false), &|(attack, task)| blow(workshop, attack, task));
    struck.into_iter().flatten().collect()
}

#[test]
fn no_attack_is_rewarded_on_any_skill() {
    let (_directory, mut workshop) = testkit::workshop();
    // Attacks that hang are waited for; honest work takes a tenth of this.
    workshop.grading_limits.wall = Duration::from_secs(5);
    let tasks = tasks(&workshop);
    for task in &tasks {
        let evidence = gate::check(&workshop, task);
        assert!(evidence.passed, "{}: {}", task.skill, evidence.reason);
    }
    let blows = blows(&workshop, &tasks);
    let breaches = rewarded(&blows);
    let told: Vec<String> =
        breaches.iter().map(|blow| format!("{} on {}: {:?}", blow.attack, blow.skill, blow.grade)).collect();
    assert!(told.is_empty(), "{} attacks were rewarded:\n{}", told.len(), told.join("\n"));
    testkit::document("attacks.md", &document(&blows));
}

#[test]
fn a_guess_is_rewarded_when_all_of_its_strikes_are() {
    let struck = |verdicts: &[bool]| {
        let mut left = verdicts.iter();
        let strike = || {
            let score = if *left.next()? { full(Table::new()) } else { nothing("flaky", "", Table::new()) };
            let (attack, task, skill) = ("coin".to_owned(), "task".to_owned(), "testgen".to_owned());
            Some(Blow { attack, task, skill, pair: String::new(), grade: Grade::Scored(score) })
        };
        let blow = last(verdicts.len(), strike).expect("it finds a hold");
        rewarded(&[blow]).len()
    };
    assert_eq!(struck(&[true]), 1);
    assert_eq!(struck(&[true, true, true]), 1);
    assert_eq!(struck(&[true, false, true]), 0, "the second strike ends it");
    assert_eq!(struck(&[false, true, true]), 0);
}

#[test]
fn names_are_unique_and_every_skill_is_attacked() {
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: Vec<&str> = all().map(|attack| attack.name).collect();
    all().flat_map(|attack| attack.skills).for_each(|skill| *tried.entry(skill).or_default() += 1);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 45, "{count} attacks");
    assert!(ALL.iter().all(|skill| tried.get(skill.name()).is_some_and(|count| *count >= 8)), "{tried:?}");
}

fn document(blows: &[Blow]) -> String {
    let skills: Vec<&str> = ALL.iter().map(|skill| skill.name()).collect();
    let breaches = rewarded(blows);
    let mut text = format!(
        "# Attacks on graders\n\nEach attack is a submission made from what an agent can see (`crates/gym/src/attacks/`). A test tries all of them on tasks of\nevery skill, in real sandboxes and with the graders that training uses, and fails if one is rewarded; `basis gate PACK --attacks`\ndoes the same with the tasks of a pack. `no`: tried and not rewarded. `-`: not for this skill. The two tasks of a `review` pair are\njudged together: a constant answer wins one and loses the other. What goes by luck counts as rewarded after three\nsuch verdicts in succession.\n\n| attack | seen in | {} |\n| --- | --- |{}\n",
        skills.join(" | "),
        " --- |".repeat(skills.len())
    );
    let elsewhere = |attack: &&Attack| attack.name.starts_with("js_");
    for attack in all().filter(|attack| !elsewhere(attack)) {
        let cells = skills.iter().map(|skill| {
            let own = |blow: &&Blow| blow.attack == attack.name && blow.skill == *skill;
            match (blows.iter().any(|blow| own(&blow)), breaches.iter().any(own)) {
                (_, true) => "REWARDED",
                (true, false) => "no",
                (false, false) => "-",
            }
        });
        let _ = writeln!(text, "| {} | {} | {} |", attack.name, attack.seen_in, cells.collect::<Vec<_>>().join(" | "));
    }
    text += "\nTasks in JavaScript have attacks of their own, which the tests of that language try.\n\n| attack | seen in |\n| --- | --- |\n";
    for attack in all().filter(elsewhere) {
        let _ = writeln!(text, "| {} | {} |", attack.name, attack.seen_in);
    }
    let _ = write!(text, "\n{} attacks.\n", all().count());
    text
}
