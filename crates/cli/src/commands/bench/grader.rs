//! Test runs in forks of a warm interpreter, beside test runs in fresh sandboxes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use basis_gym::grade::Workshop;
use basis_gym::languages::python::warm::{WarmRun, run_warm};
use basis_gym::languages::python::{Environment, Selection, run_tests};
use basis_gym::project::{RunnerKind, TestSetup};
use basis_gym::tree::Tree;

use super::Figure;
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

/// Runs of each kind.
const RUNS: usize = 20;
const TEST: &str = "test_module.py";
const MODULE: &str = "def double(value):\n    return 2 * value\n";

pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let cache = machine::cache(&context.settings).join("bench");
    let blobs = basis_gym::blobs::Blobs::open(cache.join("blobs")).kind(Kind::Machine)?;
    let workshop = machine::workshop(&context.settings, std::sync::Arc::new(blobs))?;
    for (name, runner) in [("plain", RunnerKind::Plain), ("pytest", RunnerKind::Pytest)] {
        let setup = TestSetup {
            runner,
            files: vec![TEST.to_owned()],
            import_roots: vec![String::new()],
            requirements: Vec::new(),
        };
        match workshop.environment(&setup) {
            Ok(environment) => compare(context, name, &workshop, &environment)?,
            Err(cause) => context.printer.warn(format_args!("without {name}: {cause:?}")),
        }
        context.check_stop()?;
    }
    Ok(())
}

/// Ten tests of a small module, `RUNS` times cold and as often warm, in turns of one each and all.
fn compare(context: &Context<'_>, name: &str, workshop: &Workshop, environment: &Environment) -> Result<(), Failure> {
    let tests: String =
        (0..10).map(|number| format!("def test_{number}(): assert double({number}) == {}\n", 2 * number)).collect();
    let mut tree = Tree::new();
    tree.insert("module.py", MODULE);
    tree.insert(TEST, format!("from module import double\n{tests}"));
    let layers = [workshop.layers.layer(&tree).kind(Kind::Machine)?];
    let selection = Selection::files([TEST]);
    let mut cold: Vec<Duration> = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        run_tests(workshop.backend.as_ref(), environment, &layers, &selection, &workshop.grading_limits)?;
        cold.push(start.elapsed());
    }
    let warm = warm(workshop, environment, &layers, &selection)?;
    cold.sort_unstable();
    let cold = cold[RUNS / 10].as_secs_f64() * 1e3;
    let title = format!("tests of {name}, cold (p10)");
    Figure { name: &title, value: cold, unit: "ms", base: None }.print(context);
    let title = format!("tests of {name}, warm, start included (mean of {RUNS})");
    Figure { name: &title, value: warm, unit: "ms", base: Some((cold, "cold")) }.print(context);
    Ok(())
}

/// Milliseconds for each of `RUNS` warm runs, the start of the interpreter included.
fn warm(
    workshop: &Workshop,
    environment: &Environment,
    layers: &[PathBuf],
    selection: &Selection,
) -> Result<f64, Failure> {
    let mut patch = Tree::new();
    patch.insert("module.py", MODULE);
    let limits = &workshop.grading_limits;
    let runs = vec![WarmRun { patch: &patch, selection, wall: limits.wall }; RUNS];
    let start = Instant::now();
    let reports = run_warm(workshop.backend.as_ref(), environment, layers, &runs, limits)?;
    let time = start.elapsed().as_secs_f64() * 1e3;
    match reports.iter().flatten().filter(|report| report.health.believable()).count() {
        RUNS => Ok(time / RUNS as f64),
        count => Err(Failure::new(Kind::Unexpected, format!("{count} of {RUNS} warm runs gave a report"))),
    }
}
