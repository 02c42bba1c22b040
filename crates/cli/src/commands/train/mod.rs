//! `basis train`: joint reinforcement learning of all skills, measured on held-out tasks before and after.

mod by_skill;
mod settings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::pack::Pack;
use basis_gym::rollout::World;
use basis_gym::skills;
use basis_gym::store::{Recorder, RunStart};
use basis_gym::task::Task;
use basis_gym::verdicts::Remembering;
use basis_train::engines::Engine;
use basis_train::run::{self, Overdue, TrainError, TrainReport, Training};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::models::Service;
use crate::packs::{self, Use};
use crate::printer::Printer;
use crate::training_view::TrainingView;
use crate::{models, programs, results, verdicts};

/// Train one policy on all five skills at once by reinforcement learning
///
/// Without arguments: a small model that is part of basis, on tasks from generated packages, measured on packages of
/// other templates and identifiers. Interrupted or killed, the same command goes on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the pack to train on; default: generated packages
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    /// Train on these skills only, separated by commas. A composite kind, for example `bugfix`, is trained on when it is named
    /// here: the arm of an ablation
    #[arg(long, value_name = "SKILLS", value_delimiter = ',')]
    skills: Vec<String>,
    /// Directory of the pack to measure on; default: generated packages of the held-out kind
    #[arg(long, value_name = "DIR")]
    probe_pack: Option<PathBuf>,
    /// Directory of the model to begin with; default: the starting checkpoint
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Directory of the model to which distance has a price (`train.kl`), with the same tokenizer; default: the model to begin
    /// with. With a better model this is distillation
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    #[command(flatten)]
    program: programs::Agent,
    #[command(flatten)]
    service: Service,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let sizes = &context.settings.train;
    // Mistakes are told before packs are made, which takes minutes.
    let named = named_skills(&arguments)?;
    settings::config_of(context, &named)?.check(&named).map_err(failure)?;
    if arguments.reference.is_some() && sizes.kl == 0.0 {
        return Err(Failure::new(Kind::Usage, "`--reference` would have no effect: `train.kl` is 0"));
    }
    if arguments.service.address().is_some() && sizes.max_staleness > 0 {
        return Err(Failure::new(Kind::Usage, "`train.max_staleness` must be 0 with `--engine tinker`")
            .hint("rollouts overlap training only where this machine does both"));
    }
    arguments.service.check()?;
    let program = arguments.program.config(context, None)?;
    let packs = training_packs(&arguments, &named, context)?;
    let probe_pack = match &arguments.probe_pack {
        Some(path) => Pack::open(path).kind(Kind::Input)?,
        None => packs::open(context, Use::HeldOut, sizes.probe_tasks)?,
    };
    let tasks: Vec<Arc<Task>> =
        packs.iter().flat_map(|pack| &pack.tasks).filter(|task| named.contains(task.skill.as_str())).cloned().collect();
    let probes = packs::select(&probe_pack, &[], sizes.probe_tasks)?;
    refuse_overlap(&tasks, &probes)?;
    let mut workshop = packs::workshop(context, &packs.iter().chain([&probe_pack]).collect::<Vec<_>>())?;
    if arguments.pack.is_none() && arguments.probe_pack.is_none() {
        packs::hurry(&mut workshop);
    }
    let train_config = settings::config_of(context, &tasks.iter().map(|task| task.skill.as_str()).collect())?;
    let dir = models::directory(context, arguments.model.as_deref())?;
    let (mut engine, renderer) = models::open_chosen(context, &arguments.service, &dir)?;
    let sampler =
        if train_config.max_staleness > 0 { Some(arguments.service.open_to_train(context, &dir)?.0) } else { None };
    let reference = reference(&arguments, context, (&dir, train_config.kl))?;

    let digest = models::digest(&dir)?;
    let config = identity(&arguments, &digest, &packs, &probe_pack) + &context.effective.to_toml();
    let (mut recorder, resumed) =
        Recorder::resume_or_create(&context.runs(), RunStart { command: "train", config: &config })?;
    context.printer.say(format_args!("{} {}", if resumed { "resuming run" } else { "run" }, recorder.dir().display()));

    let checkpoints = recorder.checkpoints();
    let verdicts = verdicts::open(context)?;
    let remembering = verdicts.as_ref().map(|verdicts| Remembering::new(&workshop, verdicts));
    let world: &dyn World = remembering.as_ref().map_or(&workshop, |world| world);
    let mut view = TrainingView::new(context.printer);
    let report = run::train(Training {
        config: &train_config,
        tasks: &tasks,
        probes: &probes,
        world,
        program: program.as_ref(),
        engine: engine.as_mut(),
        reference,
        sampler,
        renderer: &renderer,
        log: &mut recorder,
        checkpoints: &checkpoints,
        stop: &context.stop,
        events: &mut |event| view.show(&event),
        overdue: &|overdue| tell(context.printer, overdue),
    })
    .map_err(failure)?;
    drop(view);
    context.check_stop()?;
    verdicts::say(context, remembering.as_ref());
    show(context, &report);
    recorder.finish(serde_json::to_value(&report).expect("a report has only string keys"))?;
    Ok(())
}

/// Says what is waited for; at the last time nothing but the end of the process ends the wait.
fn tell(printer: &Printer, overdue: &Overdue) {
    if !overdue.is_last {
        return printer.warn(overdue);
    }
    let name = overdue.phase.name();
    let hint = format!("the same command goes on where this one stopped; `train.deadlines.{name}` is the deadline");
    Failure::new(Kind::Machine, overdue).hint(hint).end(printer)
}

/// The model to which distance has a price.
fn reference(
    arguments: &Arguments,
    context: &Context<'_>,
    (start, price): (&Path, f32),
) -> Result<Option<Box<dyn Engine>>, Failure> {
    let Some(given) = &arguments.reference else {
        return if price > 0.0 { Ok(Some(arguments.service.open(context, start)?.0)) } else { Ok(None) };
    };
    let dir = models::directory(context, Some(given))?;
    let tokenizer = |dir: &Path| results::digest_of_file(&dir.join("tokenizer.json"));
    if tokenizer(&dir)? != tokenizer(start)? {
        let message = format!("the model in `{}` has another tokenizer than the one that is trained", dir.display());
        return Err(Failure::new(Kind::Input, message));
    }
    Ok(Some(arguments.service.open(context, &dir)?.0))
}

/// The skills that are asked for: those of `--skills`, else all but composite kinds.
fn named_skills(arguments: &Arguments) -> Result<BTreeSet<&str>, Failure> {
    if arguments.skills.is_empty() {
        return Ok(skills::ALL.iter().filter(|skill| !skill.is_composite()).map(|skill| skill.name()).collect());
    }
    match arguments.skills.iter().find(|name| skills::find(name).is_none()) {
        None => Ok(arguments.skills.iter().map(String::as_str).collect()),
        Some(name) => {
            let known = skills::ALL.iter().map(|skill| skill.name()).collect::<Vec<_>>().join("`, `");
            let message = format!("`--skills {name}`: no skill is called so; there are `{known}`");
            Err(Failure::new(Kind::Usage, message))
        }
    }
}

/// The packs to train on; each skill of `--skills` must be in one of them.
fn training_packs(arguments: &Arguments, named: &BTreeSet<&str>, context: &Context<'_>) -> Result<Vec<Pack>, Failure> {
    let tasks = context.settings.train.pack_tasks;
    let is_composite = |name: &&str| skills::find(name).is_some_and(|skill| skill.is_composite());
    let packs = match &arguments.pack {
        Some(path) => vec![Pack::open(path).kind(Kind::Input)?],
        None => {
            let atomic = named.iter().any(|name| !is_composite(name)).then_some(Use::Train);
            let composite = named.iter().any(is_composite).then_some(Use::TrainComposite);
            let uses = atomic.into_iter().chain(composite);
            uses.map(|of| packs::open(context, of, tasks)).collect::<Result<_, _>>()?
        }
    };
    let has = |name: &String| packs.iter().any(|pack: &Pack| pack.manifest.counts.contains_key(name));
    match arguments.skills.iter().find(|name| !has(name)) {
        Some(name) => {
            Err(Failure::new(Kind::Usage, format!("`--skills {name}`: the pack to train on has no such task")))
        }
        None => Ok(packs),
    }
}

/// What tells runs apart beside their settings; a run that is not complete goes on only with the same.
fn identity(arguments: &Arguments, model: &str, packs: &[Pack], probe_pack: &Pack) -> String {
    let digest = |pack: &Pack| pack.manifest.tasks_digest[..12].to_owned();
    let packs: Vec<String> = packs.iter().map(digest).collect();
    let reference = arguments.reference.as_ref().map_or(String::new(), |dir| format!(" towards {}", dir.display()));
    let skills = if arguments.skills.is_empty() { String::new() } else { arguments.skills.join(",") + " of " };
    let service = arguments.service.identity() + &arguments.program.identity();
    format!("# train model {model}{service}{reference} on {skills}{} and {}\n", packs.join("+"), digest(probe_pack))
}

/// Tasks of one bug never stand on both sides.
fn refuse_overlap(tasks: &[Arc<Task>], probes: &[Arc<Task>]) -> Result<(), Failure> {
    let families: BTreeSet<&str> = tasks.iter().map(|task| task.family.as_str()).collect();
    match probes.iter().find(|probe| families.contains(probe.family.as_str())) {
        Some(probe) => Err(Failure::new(
            Kind::Input,
            format!("task {} to measure on comes from a bug that is trained on", probe.id),
        )
        .hint("measure on a pack of other packages")),
        None => Ok(()),
    }
}

fn failure(error: TrainError) -> Failure {
    if let Some(failure) = settings::refused(&error) {
        return failure;
    }
    let kind = match &error {
        TrainError::Setting { .. } => Kind::Usage,
        TrainError::NoTasks | TrainError::Damaged { .. } => Kind::Input,
        TrainError::Checkpoint { .. } | TrainError::Log(_) => Kind::Machine,
        TrainError::TooOld { .. } => Kind::Unexpected,
        TrainError::TooManyInvalid { .. } | TrainError::Engine(_) | TrainError::Renderer(_) => Kind::Policy,
    };
    Failure::from_error(kind, error)
}

fn show(context: &Context<'_>, report: &TrainReport) {
    if context.printer.is_json() {
        return context.printer.json(report);
    }
    if let (Some(before), Some(after), Some(comparison)) = (&report.before, &report.after, &report.comparison) {
        results::comparison(context.printer, before, after, comparison);
    }
    if let Some(checkpoint) = &report.checkpoint {
        context.printer.say(format_args!("trained model: {}", checkpoint.display()));
    }
}
