//! From a JavaScript package to tasks that pass their gates.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use basis_gym::attacks::{battery, on};
use basis_gym::factory::{Crew, Ledger, Quarry, Recipe, Yield, mine};
use basis_gym::skills;
use basis_gym::task::Task;

use crate::bench::{Bench, project};

/// Tasks of some skills from the package, past their gates.
fn mined(bench: &Bench, skills: &[&str], records: usize) -> Yield {
    let skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
    let recipe = Recipe { skills, records, max_turns: 8, max_variants: 4, gated: true, seed: 3 };
    let project = project();
    let quarry = Quarry { healthy: Some(&project), ..Quarry::default() };
    let (stop, ledger) = (AtomicBool::new(false), Ledger::default());
    let crew = Crew { workshop: &bench.workshop, workers: 2, stop: &stop, ledger: &ledger, texts: None };
    mine(&crew, &quarry, &recipe, &mut |_| ()).expect("the package is healthy")
}

#[test]
fn a_package_gives_gated_tasks_of_every_skill() {
    let Some(bench) = Bench::open() else { return };
    let names: Vec<&str> = skills::ALL.iter().map(|skill| skill.name()).collect();
    let made = mined(&bench, &names, 4);
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    made.tasks.iter().for_each(|task| *count.entry(task.skill.as_str()).or_default() += 1);
    for skill in ["localize", "edit", "testgen", "repro", "review", "bugfix_multi"] {
        assert!(count.get(skill).is_some_and(|tasks| *tasks > 0), "{skill}: {:?}", made.funnel);
    }
    assert!(made.evidence.iter().all(|row| row.passed), "{:?}", made.evidence);
    let issues: Vec<&str> =
        made.tasks.iter().filter(|task| task.skill == "bugfix_multi").map(|task| task.prompt.as_str()).collect();
    assert!(
        issues
            .iter()
            .all(|text| text.contains("capValue(") || text.contains("totalCapped(") || text.contains("describe(")),
        "{issues:?}"
    );
}

#[test]
fn no_attack_on_a_task_in_javascript_is_rewarded() {
    let Some(bench) = Bench::open() else { return };
    let made = mined(&bench, &["bugfix_multi", "testgen", "repro"], 4);
    for skill in ["bugfix_multi", "testgen", "repro"] {
        let task: &Task = made.tasks.iter().find(|task| task.skill == skill).expect("a task");
        let blows = battery::strike(&bench.workshop, task);
        let own = on(task).filter(|attack| attack.name.starts_with("js_"));
        let missed: Vec<&str> =
            own.map(|attack| attack.name).filter(|name| !blows.iter().any(|blow| blow.attack == *name)).collect();
        assert_eq!(missed, Vec::<&str>::new());
        let told: Vec<String> =
            battery::rewarded(&blows).iter().map(|blow| format!("{}: {:?}", blow.attack, blow.grade)).collect();
        assert_eq!(told, Vec::<String>::new());
    }
}
