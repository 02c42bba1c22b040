//! What thousands of episodes at once cost the controller: its own work, with a model, sandboxes and graders that only take time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use basis_gym::episode::{Episode, Grade};
use basis_gym::project::{Origin, RunnerKind, TestSetup};
use basis_gym::rollout::simulation::{Effortless, Script, Simulation};
use basis_gym::rollout::{Crew, Job, Player, Roster, World, dispatch};
use basis_gym::store::{self, EpisodeFilter, Reader, Recorder, RunStart};
use basis_gym::task::{Context as TaskContext, SCHEMA_VERSION, Task};
use basis_gym::tree::Tree;
use basis_train::engines::bench::{cpu_seconds, peak_memory};

use super::Figure;
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::policies;

/// Times of made-up episodes: 1.5 s for a turn on average, so that 10,000 at once make more than 5,000 turns a second.
const MEAN_TURN: Duration = Duration::from_millis(1500);
const LONGEST: usize = 30;
/// Different scripts.
const SCRIPTS: usize = 4096;

/// What the episodes are made of.
#[derive(Clone, Copy)]
pub(super) enum Workload<'a> {
    /// Times that spread a hundredfold.
    MadeUp,
    /// The times of a run.
    Recorded(&'a str),
    /// Turns of the server that the settings of the policy `http` name; nothing else takes time. Episodes are recorded, as programs do that
    /// this is compared with.
    Served,
}

pub(super) fn run(at_once: usize, workload: Workload<'_>, context: &Context<'_>) -> Result<(), Failure> {
    let scripts = match workload {
        Workload::MadeUp => Script::spread(context.settings.run.seed, SCRIPTS, MEAN_TURN, LONGEST),
        Workload::Recorded(name) => scripts_of(name, context)?,
        Workload::Served => return served(at_once, context),
    };
    let simulation = Simulation::new(scripts);
    measure(at_once, (&simulation).into(), &simulation, &mut |_| Ok(()), context)?;
    let late = simulation.lateness();
    let quantile = |share: f64| late.get((late.len() as f64 * share) as usize).map_or(0.0, |it| it.as_secs_f64() * 1e3);
    for (name, share) in [("median", 0.5), ("99 %", 0.99), ("99.9 %", 0.999)] {
        let name = &format!("scheduling delay, {name}");
        Figure { name, value: quantile(share), unit: "ms", base: None }.print(context);
    }
    Ok(())
}

fn served(at_once: usize, context: &Context<'_>) -> Result<(), Failure> {
    let model = policies::http(context)?;
    let place = tempfile::tempdir().kind(Kind::Machine)?;
    let (recorder, _) = Recorder::resume_or_create(place.path(), RunStart { command: "bench", config: "" })?;
    let mut record = |episode: &Episode| Ok(recorder.record("bench", 0, episode).map(drop)?);
    measure(at_once, (&model).into(), &Effortless, &mut record, context)
}

/// Plays four times as many episodes as there are places, so that for most of the time all are taken, and prints what that took.
fn measure(
    at_once: usize,
    player: Player<'_>,
    world: &dyn World,
    record: &mut dyn FnMut(&Episode) -> Result<(), Failure>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let task = Arc::new(task());
    let jobs = (0..4 * at_once as u64).map(|seed| Job { task: task.clone(), sample: seed as u32, seed });
    let (mut scored, mut invalid, mut turns) = (0u64, 0u64, 0usize);
    let mut recorded = Ok(());
    let mut count = |episode: Episode| {
        turns += episode.steps.len();
        match episode.grade {
            Grade::Scored(_) => scored += 1,
            Grade::Invalid(_) => invalid += 1,
        }
        if let Err(failure) = record(&episode) {
            recorded = Err(failure);
        }
    };
    let (start, cpu_before, memory_before) = (Instant::now(), cpu_seconds(), peak_memory());
    let roster = Roster::default();
    let crew = Crew { player, world, workers: at_once, roster: &roster };
    dispatch(jobs, crew, &mut count, &context.stop);
    context.check_stop()?;
    let (seconds, cpu, memory) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_before, peak_memory());
    recorded?;
    if invalid > 0 {
        return Err(Failure::new(Kind::Unexpected, format!("{invalid} of {} episodes are invalid", invalid + scored)));
    }
    let turns = turns as f64;
    let figure = |name, value, unit| Figure { name, value, unit, base: None }.print(context);
    figure("episodes at once", at_once as f64, "");
    figure("episodes, acted and graded", scored as f64 / seconds, "1/s");
    figure("model turns", turns / seconds, "1/s");
    figure("processor time of the controller", cpu / seconds, "cores");
    figure("processor time per turn", cpu / turns * 1e6, "us");
    figure("largest resident memory", memory as f64 / f64::from(1 << 20), "MiB");
    let grown = memory.saturating_sub(memory_before);
    figure("memory per episode at work", grown as f64 / at_once as f64 / 1024.0, "KiB");
    Ok(())
}

/// The times of the episodes of a run.
fn scripts_of(name: &str, context: &Context<'_>) -> Result<Vec<Script>, Failure> {
    let reader = Reader::open(&store::find_run(&context.runs(), name)?)?;
    let mut scripts = Vec::new();
    for row in reader.rows(&EpisodeFilter::default())? {
        let episode = reader.episode_of(&row)?;
        if episode.reward().is_some() {
            scripts.push(Script::of(&episode));
        }
    }
    match scripts.is_empty() {
        true => Err(Failure::new(Kind::Input, format!("run `{name}` has no episode that was graded"))),
        false => Ok(scripts),
    }
}

/// A task that nobody looks at.
fn task() -> Task {
    let tests = TestSetup {
        runner: RunnerKind::Plain,
        files: vec![],
        import_roots: vec![],
        requirements: vec![],
        before: None,
    };
    Task {
        id: String::new(),
        schema_version: SCHEMA_VERSION,
        skill: "edit".to_owned(),
        prompt: "simulated".to_owned(),
        context: TaskContext { tree: Tree::new().id(), tests, max_turns: u32::MAX },
        hidden: serde_json::Value::Null,
        grader: "simulated 1".to_owned(),
        origin: Origin::new("generated", "0"),
        project: "simulated".to_owned(),
        family: String::new(),
        pair: String::new(),
    }
    .sealed()
}
