//! Test runs in forks of a warm interpreter, beside test runs in fresh sandboxes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use basis_gym::grade::Workshop;
use basis_gym::languages::{Environment, Selection, WarmRun};
use basis_gym::project::{RunnerKind, TestSetup};
use basis_gym::tree::Tree;

use super::super::Figure;
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
            before: None,
        };
        match workshop.environment(&setup) {
            Ok(environment) => compare(context, name, &workshop, environment.as_ref())?,
            Err(cause) => context.printer.warn(format_args!("without {name}: {cause:?}")),
        }
        context.check_stop()?;
    }
    Ok(())
}

/// Ten tests of a small module, `RUNS` times cold and as often warm, in turns of one each and all.
fn compare(
    context: &Context<'_>,
    name: &str,
    workshop: &Workshop,
    environment: &dyn Environment,
) -> Result<(), Failure> {
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
        environment.run_tests(workshop.backend.as_ref(), &layers, &selection, &workshop.grading_limits)?;
        cold.push(start.elapsed());
    }
    let (mut warm, whole) = warm(workshop, environment, &layers, &selection)?;
    let [cold, warm] = [&mut cold, &mut warm].map(|times| p10(times));
    let runs = [
        (format!("tests of {name}, cold (p10)"), cold, None),
        (format!("tests of {name}, warm (p10)"), warm, Some((cold, "cold"))),
        (format!("tests of {name}, warm, start included (mean of {RUNS})"), whole, Some((cold, "cold"))),
    ];
    for (name, value, base) in runs {
        Figure { name: &name, value, unit: "ms", base }.print(context);
    }
    Ok(())
}

/// Milliseconds; one in ten was faster.
fn p10(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 10].as_secs_f64() * 1e3
}

/// The time of each of `RUNS` warm runs, and the mean in milliseconds with the start of the interpreter.
fn warm(
    workshop: &Workshop,
    environment: &dyn Environment,
    layers: &[PathBuf],
    selection: &Selection,
) -> Result<(Vec<Duration>, f64), Failure> {
    let mut patch = Tree::new();
    patch.insert("module.py", MODULE);
    let limits = &workshop.grading_limits;
    let runs = vec![WarmRun { patch: &patch, selection, wall: limits.wall }; RUNS];
    let start = Instant::now();
    let reports = environment.run_warm(workshop.backend.as_ref(), layers, &runs, limits)?;
    let time = start.elapsed().as_secs_f64() * 1e3;
    let times: Vec<Duration> = reports.iter().flatten().map(|report| report.duration).collect();
    match times.len() {
        RUNS => Ok((times, time / RUNS as f64)),
        count => Err(Failure::new(Kind::Unexpected, format!("{count} of {RUNS} warm runs gave a report"))),
    }
}
