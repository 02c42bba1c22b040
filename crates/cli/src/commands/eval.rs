//! `basis eval`: how well a policy does on a pack, per skill, with intervals.

use std::path::PathBuf;
use std::sync::Arc;

use basis_gym::episode::Episode;
use basis_gym::pack::Pack;
use basis_gym::rollout::{Crew, Job, Player, Roster, World, dispatch, seed};
use basis_gym::stats::Evaluation;
use basis_gym::store::{Recorder, RunStart};
use basis_gym::task::Task;
use basis_gym::verdicts::Remembering;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::packs::{self, Use};
use crate::policies::{self, Choice};
use crate::{machine, programs, results, verdicts};

/// Measure a policy on a pack: avg@k per skill with intervals
///
/// Intervals are 95 %, bootstrap over tasks. Invalid episodes say nothing about the policy: they are counted apart, and
/// the bracket says what the score would be if all of them had failed or succeeded.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the pack; default: the held-out generated packages
    pack: Option<PathBuf>,
    /// Who acts
    #[arg(long, value_enum, default_value = "engine")]
    policy: Choice,
    /// For `engine`: directory of the model; default: the starting checkpoint
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Episodes of each task; default: setting eval.attempts
    #[arg(short = 'k', value_name = "N")]
    attempts: Option<u32>,
    /// Only these skills, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SKILLS")]
    skills: Vec<String>,
    #[command(flatten)]
    program: programs::Agent,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let program = arguments.program.config(context, Some(context.settings.policy.temperature))?;
    if program.is_some() && !matches!(arguments.policy, Choice::Engine | Choice::Http) {
        return Err(Failure::new(Kind::Usage, "`--agent-cmd` goes with `--policy engine` or `--policy http` only"));
    }
    let pack = match &arguments.pack {
        Some(path) => Pack::open(path).kind(Kind::Input)?,
        None => packs::open(context, Use::HeldOut, context.settings.train.probe_tasks)?,
    };
    let tasks = packs::select(&pack, &arguments.skills, context.settings.eval.tasks_per_skill)?;
    let mut workshop = packs::workshop(context, &[&pack])?;
    if arguments.pack.is_none() {
        packs::hurry(&mut workshop);
    }
    let workshop = Arc::new(workshop);
    let attempts = arguments.attempts.unwrap_or(context.settings.eval.attempts);
    let chosen = policies::choose(context, arguments.policy, arguments.model.as_deref(), &workshop)?;
    let who = chosen.identity() + &arguments.program.identity();
    let config = identity(context, &pack, &who, attempts, &tasks);
    let (recorder, resumed) =
        Recorder::resume_or_create(&context.runs(), RunStart { command: "eval", config: &config })?;
    context.printer.say(format_args!("{} run {}", if resumed { "resuming" } else { "recording" }, recorder.name()));
    let verdicts = verdicts::open(context)?;
    let remembering = verdicts.as_ref().map(|verdicts| Remembering::new(&workshop, verdicts));
    let world: &dyn World = remembering.as_ref().map_or(workshop.as_ref(), |world| world);
    let play = |player: Player<'_>| play(context, &tasks, attempts, player, world, &recorder);
    let episodes = match program {
        Some(program) => chosen.with_program(context, program, play)??,
        None => chosen.with(|policy| play(policy.into()))??,
    };
    context.check_stop()?;
    programs::say(context, &episodes);
    verdicts::say(context, remembering.as_ref());
    let evaluation = Evaluation::of(&episodes, attempts, context.settings.run.seed);
    results::evaluation(context.printer, &evaluation);
    let summary = serde_json::to_value(&evaluation).expect("an evaluation has only string keys");
    recorder.finish(summary)?;
    fail_if_all_invalid(&episodes)
}

/// What has to be the same for a run to go on.
fn identity(context: &Context<'_>, pack: &Pack, who: &str, attempts: u32, tasks: &[Arc<Task>]) -> String {
    let ids: String = tasks.iter().map(|task| task.id.as_str()).collect();
    format!(
        "# eval of {} on {} ({} tasks, digest {}), {attempts} attempts\n{}",
        who,
        pack.manifest.name,
        tasks.len(),
        results::digest(&ids),
        context.effective.to_toml()
    )
}

fn play(
    context: &Context<'_>,
    tasks: &[Arc<Task>],
    attempts: u32,
    player: Player<'_>,
    world: &dyn World,
    recorder: &Recorder,
) -> Result<Vec<Episode>, Failure> {
    let done = recorder.reader()?.episodes("eval", 0)?;
    let is_done = |job: &Job| done.iter().any(|episode| episode.task == job.task.id && episode.sample == job.sample);
    let run_seed = context.settings.run.seed;
    let jobs = tasks.iter().flat_map(|task| {
        (0..attempts).map(|sample| Job { task: task.clone(), sample, seed: seed(run_seed, 0, &task.id, sample) })
    });
    let jobs: Vec<Job> = jobs.filter(|job| !is_done(job)).collect();
    let progress = context.printer.progress("episodes", (done.len() + jobs.len()) as u64);
    progress.advance(done.len() as u64);
    let mut episodes = done;
    let mut failure = None;
    let crew = Crew { player, world, workers: machine::episodes(&context.settings), roster: &Roster::default() };
    dispatch(
        jobs,
        crew,
        &mut |episode| {
            if let Err(error) = recorder.record("eval", 0, &episode) {
                context.stop.store(true, std::sync::atomic::Ordering::Relaxed);
                failure.get_or_insert(error);
            }
            progress.advance(1);
            episodes.push(episode);
        },
        &context.stop,
    );
    failure.map_or(Ok(episodes), |error| Err(error.into()))
}

/// A server that is down makes every episode invalid: that is a failure of the policy, not a result.
fn fail_if_all_invalid(episodes: &[Episode]) -> Result<(), Failure> {
    let cause = episodes.iter().find_map(|episode| match &episode.grade {
        basis_gym::episode::Grade::Invalid(cause) => Some(format!("{cause:?}")),
        basis_gym::episode::Grade::Scored(_) => None,
    });
    match cause {
        Some(cause) if episodes.iter().all(|episode| episode.reward().is_none()) => {
            Err(Failure::new(Kind::Policy, format!("every episode is invalid, the first because of {cause}")))
        }
        _ => Ok(()),
    }
}
