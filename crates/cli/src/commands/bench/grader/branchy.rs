//! A function with more branches than those of generated packages, so that sixteen wrong versions of it can be told apart.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use basis_gym::factory::{self, Recipe};
use basis_gym::grade::Workshop;
use basis_gym::project::{Origin, Project, RunnerKind, TestSetup};
use basis_gym::task::Task;
use basis_gym::tree::Tree;

/// Wrong versions, as in the paper.
const VARIANTS: usize = 16;

const MODULE: &str = "\
def rate(weight, distance, express):
    \"\"\"Return the price of a parcel in cents, at most 2000.\"\"\"
    if weight <= 0 or distance < 0:
        return 0
    price = 300
    if weight > 10:
        price += (weight - 10) * 25
    if distance > 100:
        price += (distance - 100) // 4
    if express:
        price = price * 3 // 2
    if price > 2000:
        return 2000
    return price
";

/// What the function gives.
fn rate(weight: i64, distance: i64, express: bool) -> i64 {
    if weight <= 0 || distance < 0 {
        return 0;
    }
    let price = 300 + (weight - 10).max(0) * 25 + (distance - 100).max(0) / 4;
    (if express { price * 3 / 2 } else { price }).min(2000)
}

/// The `testgen` task with most wrong versions that the function gives.
pub(super) fn task(workshop: &Workshop) -> Result<Task, String> {
    let recipe = Recipe {
        skills: vec!["testgen".to_owned()],
        records: 4,
        max_turns: 12,
        max_variants: VARIANTS,
        gated: true,
        seed: 0,
    };
    let made = factory::make(workshop, &project(), &recipe, &AtomicBool::new(false)).map_err(|it| it.detail)?;
    let variants = |task: &Task| task.hidden["variants"].as_array().map_or(0, Vec::len);
    made.tasks.into_iter().max_by_key(variants).ok_or_else(|| format!("no `testgen` task: {:?}", made.funnel))
}

fn project() -> Project {
    let mut tests = "from parcels import rate\n".to_owned();
    for weight in [0, 1, 10, 11, 30, 90] {
        for distance in [-1, 0, 100, 104, 508] {
            for (express, name) in [(false, "False"), (true, "True")] {
                let number = tests.matches("def ").count();
                let value = rate(weight, distance, express);
                let _ = write!(
                    tests,
                    "\n\ndef test_rate_{number}():\n    assert rate({weight}, {distance}, {name}) == {value}\n"
                );
            }
        }
    }
    let mut tree = Tree::new();
    tree.insert("parcels.py", MODULE);
    tree.insert("tests/test_parcels.py", tests);
    Project {
        name: "parcels".to_owned(),
        version: String::new(),
        tree,
        tests: TestSetup {
            runner: RunnerKind::Plain,
            files: vec!["tests/test_parcels.py".to_owned()],
            import_roots: vec![String::new()],
            requirements: Vec::new(),
            before: None,
        },
        origin: Origin::new("generated", "bench"),
    }
}
