//! `basis train`: joint reinforcement learning of all skills, measured on held-out tasks before and after.

mod by_skill;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;

use basis_gym::pack::Pack;
use basis_gym::rollout::World;
use basis_gym::skills;
use basis_gym::store::{Recorder, RunStart};
use basis_gym::task::Task;
use basis_gym::verdicts::Remembering;
use basis_train::run::{self, TrainError, TrainReport, Training};

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::packs::{self, Use};
use crate::training_view::TrainingView;
use crate::{models, results, verdicts};

/// Train one policy on all five skills at once by reinforcement learning
///
/// Without arguments: a small model that is part of basis, on tasks from generated packages, measured on packages of
/// other templates and identifiers. Interrupted or killed, the same command goes on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the pack to train on; default: generated packages
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    /// Directory of the pack to measure on; default: generated packages of the held-out kind
    #[arg(long, value_name = "DIR")]
    probe_pack: Option<PathBuf>,
    /// Directory of the model to begin with; default: the starting checkpoint
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let sizes = &context.settings.train;
    let open = |given: &Option<PathBuf>, purpose, tasks| match given {
        Some(path) => Pack::open(path).kind(Kind::Input),
        None => packs::open(context, purpose, tasks),
    };
    let pack = open(&arguments.pack, Use::Train, sizes.pack_tasks)?;
    let probe_pack = open(&arguments.probe_pack, Use::HeldOut, sizes.probe_tasks)?;
    let is_trained = |task: &Arc<Task>| skills::find(&task.skill).is_some_and(|skill| !skill.is_composite());
    let tasks: Vec<Arc<Task>> = pack.tasks.iter().filter(|task| is_trained(task)).cloned().collect();
    let probes = packs::select(&probe_pack, &[], sizes.probe_tasks)?;
    refuse_overlap(&tasks, &probes)?;
    let mut workshop = packs::workshop(context, &[&pack, &probe_pack])?;
    if arguments.pack.is_none() && arguments.probe_pack.is_none() {
        packs::hurry(&mut workshop);
    }
    let train_config = settings::config_of(context, &tasks)?;
    let dir = models::directory(context, arguments.model.as_deref())?;
    let (mut engine, renderer) = models::open(&dir)?;
    let reference = if train_config.kl > 0.0 { Some(models::open(&dir)?.0) } else { None };

    let digest = results::digest_of_file(&dir.join("model.safetensors"))?;
    let names = (&pack.manifest.tasks_digest[..12], &probe_pack.manifest.tasks_digest[..12]);
    let config = format!("# train model {digest} on {} and {}\n{}", names.0, names.1, context.effective.to_toml());
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
        engine: engine.as_mut(),
        reference,
        renderer: &renderer,
        log: &mut recorder,
        checkpoints: &checkpoints,
        stop: &context.stop,
        events: &mut |event| view.show(&event),
    })
    .map_err(failure)?;
    drop(view);
    context.check_stop()?;
    verdicts::say(context, remembering.as_ref());
    show(context, &report);
    recorder.finish(serde_json::to_value(&report).expect("a report has only string keys"))?;
    Ok(())
}

/// Tasks of one bug never stand on both sides.
fn refuse_overlap(tasks: &[Arc<Task>], probes: &[Arc<Task>]) -> Result<(), Failure> {
    let families: std::collections::BTreeSet<&str> = tasks.iter().map(|task| task.family.as_str()).collect();
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
