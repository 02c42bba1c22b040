//! How long the verdict on a right submission takes, which is the longest: nothing ends it early. One after the other, on generated
//! packages, and on one function with many wrong versions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use basis_gym::episode::{Grade, Submission};
use basis_gym::grade::Workshop;
use basis_gym::languages::python::Selection;
use basis_gym::project::{RunnerKind, TestSetup};
use basis_gym::rollout::World;
use basis_gym::skills;
use basis_gym::task::Task;
use basis_gym::tree::Tree;

use super::super::Figure;
use super::branchy;
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::packs::{self, Use};

/// Tasks of each skill; as many as the measurement of episodes has, so that both use one pack.
const TASKS: usize = 20;
/// Runs of a fresh pytest.
const FRESH: usize = 8;

pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let pack = packs::open(context, Use::HeldOut, TASKS)?;
    let workshop = packs::workshop(context, &[&pack])?;
    for skill in skills::ALL.iter().filter(|skill| skill.suits_generated()).map(|skill| skill.name()) {
        let tasks = pack.of_skill(skill);
        let verdicts = verdicts(&workshop, tasks.iter().map(Arc::as_ref))?;
        let name = format!("verdict on a right submission, {skill} (median of {})", verdicts.len());
        Figure { name: &name, value: median(verdicts.iter().map(|it| it.milliseconds)), unit: "ms", base: None }
            .print(context);
        context.check_stop()?;
    }
    large(context)
}

/// `testgen` with as many wrong versions as the paper has, beside one fresh pytest for each of its runs.
fn large(context: &Context<'_>) -> Result<(), Failure> {
    let blobs = basis_gym::blobs::Blobs::open(machine::cache(&context.settings).join("bench").join("blobs"));
    let mut workshop = machine::workshop(&context.settings, Arc::new(blobs.kind(Kind::Machine)?))?;
    packs::hurry(&mut workshop);
    let task = branchy::task(&workshop).map_err(|reason| Failure::new(Kind::Unexpected, reason))?;
    let verdicts = verdicts(&workshop, std::iter::repeat_n(&task, TASKS))?;
    let runs = median(verdicts.iter().map(|verdict| verdict.runs as f64));
    let base = match fresh_pytest(&workshop, &task) {
        Ok(milliseconds) => Some((milliseconds * runs, "one fresh pytest for each run")),
        Err(reason) => {
            context.printer.warn(format_args!("without pytest: {reason}"));
            None
        }
    };
    let variants = task.hidden["variants"].as_array().map_or(0, Vec::len);
    let name =
        format!("verdict on a right submission, testgen with {variants} variants, {runs} runs (median of {TASKS})");
    Figure { name: &name, value: median(verdicts.iter().map(|it| it.milliseconds)), unit: "ms", base }.print(context);
    Ok(())
}

struct Timed {
    milliseconds: f64,
    /// Runs of code in it.
    runs: usize,
}

fn verdicts<'a>(workshop: &Workshop, tasks: impl Iterator<Item = &'a Task>) -> Result<Vec<Timed>, Failure> {
    let failed = |reason: String| Failure::new(Kind::Unexpected, reason);
    tasks
        .map(|task| {
            let reference = reference(workshop, task).map_err(failed)?;
            let start = Instant::now();
            let grade = workshop.grade(task, &reference);
            let milliseconds = start.elapsed().as_secs_f64() * 1e3;
            match grade {
                Grade::Scored(score) if score.reward == 1.0 => Ok(Timed { milliseconds, runs: score.table.len() }),
                grade => Err(failed(format!("the reference of task {} was judged {grade:?}", task.id))),
            }
        })
        .collect()
}

fn reference(workshop: &Workshop, task: &Task) -> Result<Submission, String> {
    skills::find(&task.skill).ok_or_else(|| format!("unknown skill `{}`", task.skill))?.reference(workshop, task)
}

/// Milliseconds of the reference's tests under pytest, each time in a fresh sandbox.
fn fresh_pytest(workshop: &Workshop, task: &Task) -> Result<f64, String> {
    let tree = workshop.blobs.tree(&task.context.tree).map_err(|error| error.to_string())?;
    let mut suite = Tree::new();
    for file in reference(workshop, task)?.files {
        suite.insert(file.path, file.content.unwrap_or_default());
    }
    let files: Vec<String> = suite.paths().map(str::to_owned).collect();
    let setup = TestSetup { runner: RunnerKind::Pytest, files: files.clone(), ..task.context.tests.clone() };
    let times = (0..FRESH).map(|_| {
        let start = Instant::now();
        let report = workshop.run_tests(&setup, &[&tree, &suite], &Selection::files(files.clone()));
        report.map(|_| start.elapsed()).map_err(|cause| cause.message().to_owned())
    });
    let times: Vec<Duration> = times.collect::<Result<_, _>>()?;
    Ok(median(times.into_iter().map(|time| time.as_secs_f64() * 1e3)))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
