//! `basis sft`: a starting checkpoint from episodes of the imperfect teacher.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_gym::episode::{Episode, Grade, InvalidCause, Submission};
use basis_gym::grade::Workshop;
use basis_gym::pack::Pack;
use basis_gym::rollout::{Crew, Job, Roster, World, dispatch, seed};
use basis_gym::store::{self, Reader};
use basis_gym::task::Task;
use basis_sandbox::Sandbox;
use basis_train::engines::Engine;
use basis_train::engines::local::{Config, Local};
use basis_train::renderer::{self, Compact, Renderer};
use basis_train::sft::{self, Sft, SftConfig, SftReport, rename};
use basis_train::tokenizer::Tokenizer;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::{machine, models, packs, policies};

/// Train a model on episodes of the imperfect teacher, from nothing or from a checkpoint
///
/// With default settings this makes the starting checkpoint that `basis train` begins with.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the result
    #[arg(long, default_value = "models/start", value_name = "DIR")]
    out: PathBuf,
    /// Directory of the model to begin with; default: a new one, see settings [model]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Imitate successes of this run's training instead of the teacher (rejection sampling); begins with the starting checkpoint
    /// unless `--from` names another model
    #[arg(long, value_name = "RUN")]
    from_run: Option<String>,
    /// With --from-run: newest successes of each task; 0 for all
    #[arg(long, value_name = "N", default_value_t = 4, requires = "from_run")]
    per_task: usize,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    if arguments.out.join("config.json").exists() {
        let message = format!("`{}` already holds a model", arguments.out.display());
        return Err(Failure::new(Kind::Input, message).hint("choose another place with `--out`"));
    }
    if let Some(run) = &arguments.from_run {
        return imitate(run, &arguments, context);
    }
    let episodes = lessons(context)?;
    context.check_stop()?;
    let (mut engine, renderer) = match &arguments.from {
        Some(dir) => models::open_to_train(context, &models::directory(context, Some(dir))?)?,
        None => new_model(context, &episodes)?,
    };
    let (epochs, seed) = (context.settings.sft.epochs, context.settings.run.seed);
    let episodes = rename::copies(&episodes, epochs, &renderer.tokenizer().words(), seed);
    // Every pass over the episodes has its own names.
    finish(context, (engine.as_mut(), renderer.as_ref()), (&episodes, 1), &arguments.out)
}

/// Trains on what a policy did well in training, as it did it: with the names that it met.
fn imitate(run: &str, arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let reader = Reader::open(&store::find_run(&context.runs(), run)?)?;
    let mut episodes = Vec::new();
    for iteration in reader.overview()?.iter().filter(|cell| cell.phase == "train").map(|cell| cell.iteration) {
        if episodes.last().is_none_or(|(last, _)| *last != iteration) {
            episodes.push((iteration, reader.episodes("train", iteration)?));
        }
    }
    let episodes: Vec<Episode> = episodes.into_iter().flat_map(|(_, episodes)| episodes).collect();
    let total = episodes.len();
    let chosen = sft::chosen(episodes, arguments.per_task);
    if chosen.is_empty() {
        let message = format!("run {} has no success in training among {total} episodes", reader.name());
        return Err(Failure::new(Kind::Input, message).hint("only what was rewarded is imitated"));
    }
    context.printer.say(format_args!("{} of {total} episodes of run {} are imitated", chosen.len(), reader.name()));
    let (mut engine, renderer) =
        models::open_to_train(context, &models::directory(context, arguments.from.as_deref())?)?;
    let epochs = context.settings.sft.epochs;
    finish(context, (engine.as_mut(), renderer.as_ref()), (&chosen, epochs), &arguments.out)
}

fn finish(
    context: &Context<'_>,
    (engine, renderer): (&mut dyn Engine, &dyn Renderer),
    (episodes, epochs): (&[Episode], u32),
    out: &Path,
) -> Result<(), Failure> {
    let report = train(context, (&mut *engine, renderer), episodes, epochs)?;
    context.check_stop()?;
    save(out, engine, renderer)?;
    show(context, out, &report);
    Ok(())
}

/// Plays the teacher on tasks from generated packages. Its episodes are imitated, not rewarded, so they are not graded.
fn lessons(context: &Context<'_>) -> Result<Vec<Episode>, Failure> {
    let teacher = &context.settings.teacher;
    let blobs = Pack::blobs(&machine::cache(&context.settings).join("lessons")).kind(Kind::Machine)?;
    let mut workshop = machine::workshop(&context.settings, blobs)?;
    packs::hurry(&mut workshop);
    let workshop = Arc::new(workshop);
    let tasks = packs::lessons(context, &workshop, teacher.tasks_per_skill)?;
    let policy = policies::teacher(workshop.clone(), teacher.diligence);
    let run_seed = context.settings.run.seed;
    let job = |task: &Arc<Task>, sample| Job { task: task.clone(), sample, seed: seed(run_seed, 0, &task.id, sample) };
    let jobs: Vec<Job> =
        tasks.iter().flat_map(|task| (0..teacher.episodes).map(move |sample| job(task, sample))).collect();
    let progress = context.printer.progress("teacher episodes", jobs.len() as u64);
    let mut episodes = Vec::with_capacity(jobs.len());
    let (world, workers) = (&Ungraded(&workshop), machine::episodes(&context.settings));
    dispatch(
        jobs,
        Crew { player: (&policy).into(), world, workers, roster: &Roster::default() },
        &mut |episode| {
            progress.advance(1);
            episodes.push(episode);
        },
        &context.stop,
    );
    // The order in which episodes end depends on the machine; what is learned must not.
    episodes.sort_by(|a, b| (&a.task, a.sample).cmp(&(&b.task, b.sample)));
    episodes.retain(|episode| episode.end.is_some());
    Ok(episodes)
}

struct Ungraded<'a>(&'a Workshop);

impl World for Ungraded<'_> {
    fn sandbox<'s>(&'s self, task: &Task) -> Result<Box<dyn Sandbox + 's>, InvalidCause> {
        World::sandbox(self.0, task)
    }

    fn grade(&self, _: &Task, _: &Submission) -> Grade {
        Grade::Invalid(InvalidCause::Task("an episode of the teacher, not graded".into()))
    }
}

fn new_model(context: &Context<'_>, episodes: &[Episode]) -> Result<models::Model, Failure> {
    let model = &context.settings.model;
    // Names of letters leave no package's names among the merges.
    let renamed = rename::copies(episodes, 1, &[], context.settings.run.seed);
    let tokenizer = Tokenizer::train(&sft::data::texts(&renamed), model.vocab, &Compact::SPECIALS).kind(Kind::Usage)?;
    let config = Config {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: model.hidden,
        intermediate_size: model.intermediate,
        num_hidden_layers: model.layers,
        num_attention_heads: model.heads,
        num_key_value_heads: model.kv_heads,
        head_dim: model.head_dim,
        max_position_embeddings: model.context,
        ..Config::small(model.vocab)
    };
    let engine = Local::create_with(config, context.settings.run.seed, &models::options(context)).kind(Kind::Usage)?;
    let renderer: Arc<dyn Renderer> = Arc::from(renderer::open("compact", tokenizer).kind(Kind::Unexpected)?);
    Ok((Box::new(engine), renderer))
}

fn train(
    context: &Context<'_>,
    (engine, renderer): (&mut dyn Engine, &dyn Renderer),
    episodes: &[Episode],
    epochs: u32,
) -> Result<SftReport, Failure> {
    let settings = &context.settings.sft;
    let config = SftConfig {
        epochs,
        learning_rate: settings.learning_rate,
        batch_tokens: settings.batch_tokens,
        context_weight: settings.context_weight,
        seed: context.settings.run.seed,
        ..SftConfig::default()
    };
    context.printer.say(format_args!("{} parameters, {} episodes", engine.info().parameters, episodes.len()));
    let mut progress = None;
    let sft = Sft { engine, renderer, episodes, config: &config, stop: &context.stop };
    sft::train(sft, &mut |step| {
        let bar = progress.get_or_insert_with(|| context.printer.progress("steps", step.steps as u64));
        bar.advance(1);
        bar.note(format!("loss {:.3}, {:.0} tokens/s", step.loss, step.tokens_per_second));
        if let Some(loss) = step.held_out {
            context.printer.say(format_args!("step {}: loss {:.4}, held-out loss {loss:.4}", step.step, step.loss));
        }
    })
    .kind(Kind::Input)
}

fn save(out: &Path, engine: &dyn Engine, renderer: &dyn Renderer) -> Result<(), Failure> {
    std::fs::create_dir_all(out).kind(Kind::Machine)?;
    renderer::save(renderer, out).kind(Kind::Machine)?;
    engine.save(out, false).kind(Kind::Machine)
}

fn show(context: &Context<'_>, out: &Path, report: &SftReport) {
    if context.printer.is_json() {
        context.printer.json(report);
    } else {
        let held_out = report.held_out.map_or("-".into(), |loss| format!("{loss:.4}"));
        context.printer.data(format_args!(
            "{}: {} episodes, {} tokens in {:.0} s, loss {:.4}, held-out loss {held_out}",
            out.display(),
            report.episodes,
            report.tokens,
            report.seconds,
            report.loss
        ));
    }
}
