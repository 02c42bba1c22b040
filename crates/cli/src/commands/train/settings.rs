//! From the settings to those of joint training. Whatever is set and would have no effect is an error.

use std::collections::{BTreeMap, BTreeSet};

use basis_train::algo;
use basis_train::batch::Reduction;
use basis_train::run::{CurriculumConfig, Deadlines, ProbeConfig, TrainConfig, TrainError};

use super::by_skill;
use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::machine;
use crate::settings::{Train, TrainDeadlines};

/// The skill whose tasks come in pairs.
const PAIRED: &str = "review";

/// Rewards of `localize` are ±1, twice the range of the others.
const SCALE_OF_REWARD: (&str, f64) = ("localize", 0.5);

/// The settings of training on tasks of `trained` skills.
pub(super) fn config_of(context: &Context<'_>, trained: &BTreeSet<&str>) -> Result<TrainConfig, Failure> {
    let (settings, policy) = (&context.settings.train, &context.settings.policy);
    let mut config = TrainConfig {
        seed: context.settings.run.seed,
        iterations: settings.iterations,
        group: settings.group_size,
        tasks_per_skill: settings.tasks_per_skill,
        tasks: by_skill::counts("train.tasks", &settings.tasks)?,
        estimator: settings.estimator.clone(),
        pair_centred: settings.pair_centred,
        loss: settings.loss.clone(),
        clip_low: settings.clip_low,
        clip_high: settings.clip_high,
        kl: settings.kl,
        importance_cap: settings.importance_cap,
        curriculum: CurriculumConfig {
            low: settings.curriculum_low,
            high: settings.curriculum_high,
            outside: settings.curriculum_outside,
        },
        max_staleness: settings.max_staleness,
        token_budget: settings.token_budget,
        interference_every: settings.interference_every,
        keep: settings.keep,
        share_prefixes: settings.share_prefixes,
        deadlines: deadlines(&settings.deadlines),
        learning_rate: f64::from(settings.learning_rate),
        final_share: f64::from(settings.final_share),
        probe: ProbeConfig {
            every: settings.probe_every,
            k: context.settings.eval.attempts,
            temperature: policy.temperature,
        },
        workers: machine::episodes(&context.settings),
        ..TrainConfig::default()
    };
    config.batch.steps = settings.steps_per_iteration as usize;
    config.batch.reduction = reduction(&settings.reduction)?;
    config.batch.episode_tokens = settings.episode_tokens;
    match settings.quotas.as_str() {
        "off" => config.batch.balance = false,
        quotas => config.batch.quotas = by_skill::parse("train.quotas", quotas)?,
    }
    config.batch.advantage_scale = match settings.advantage_scale.as_str() {
        "auto" => scale_of_reward(settings, trained),
        scale => by_skill::parse("train.advantage_scale", scale)?,
    };
    config.sampling.temperature = policy.temperature;
    config.sampling.max_tokens = settings.max_tokens;
    config.sampling.patience = settings.deadlines.turn;
    check_effects(context, trained)?;
    Ok(config)
}

fn deadlines(settings: &TrainDeadlines) -> Deadlines {
    let TrainDeadlines { rollout, grading, training, checkpoint, probe, .. } = *settings;
    Deadlines { rollout, grading, training, checkpoint, probe }
}

fn reduction(name: &str) -> Result<Reduction, Failure> {
    match name {
        "token" => Ok(Reduction::Token),
        "sequence" => Ok(Reduction::Sequence),
        "batch" => Ok(Reduction::Batch),
        _ => Err(usage(format!("`train.reduction` must be `token`, `sequence` or `batch`, not `{name}`"))),
    }
}

/// Half of what it is for a skill with rewards of twice the range, where the estimator keeps the range.
fn scale_of_reward(settings: &Train, trained: &BTreeSet<&str>) -> BTreeMap<String, f64> {
    let keeps = algo::find(&settings.estimator).is_some_and(|estimator| estimator.has_scale_of_reward());
    let (skill, scale) = SCALE_OF_REWARD;
    if keeps && trained.contains(skill) { [(skill.to_owned(), scale)].into() } else { BTreeMap::new() }
}

/// Refuses what was set by hand and does nothing beside the other settings.
fn check_effects(context: &Context<'_>, trained: &BTreeSet<&str>) -> Result<(), Failure> {
    let settings = &context.settings.train;
    let on_policy = settings.steps_per_iteration == 1 && settings.max_staleness == 0;
    let whole = settings.curriculum_low == 0.0 && settings.curriculum_high == 1.0;
    let always = settings.curriculum_outside == 1.0;
    let rules = [
        ("clip_low", on_policy, "with one step per iteration every ratio is 1"),
        ("clip_high", on_policy, "with one step per iteration every ratio is 1"),
        ("final_share", settings.iterations == 1, "there is one iteration"),
        (
            "probe_every",
            settings.probe_every >= settings.iterations.max(1),
            "training ends before the first such probe",
        ),
        ("curriculum_low", always, "tasks outside come in every epoch, see `train.curriculum_outside`"),
        ("curriculum_high", always, "tasks outside come in every epoch, see `train.curriculum_outside`"),
        ("curriculum_outside", whole, "every pass rate is inside"),
        ("interference_every", trained.len() == 1, "one skill is trained on"),
        ("quotas", trained.len() == 1, "one skill is trained on"),
        ("pair_centred", !trained.contains(PAIRED), "no skill with pairs is trained on"),
    ];
    let idle = |(key, idle, _): &(&str, bool, &str)| *idle && context.effective.is_changed(&format!("train.{key}"));
    match rules.into_iter().find(idle) {
        Some((key, _, reason)) => {
            Err(usage(format!("`train.{key}` would have no effect: {reason}")).hint("leave it at its default"))
        }
        None => Ok(()),
    }
}

/// A setting that the library refuses, under the name that it has here.
pub(super) fn refused(error: &TrainError) -> Option<Failure> {
    let TrainError::Setting { name, expected } = error else { return None };
    let name = match name.as_str() {
        "group" => "group_size",
        "batch.steps" => "steps_per_iteration",
        name => name.trim_start_matches("batch."),
    };
    let name = name.replace("curriculum.", "curriculum_");
    Some(usage(format!("`train.{name}` must be {expected}")))
}

fn usage(message: String) -> Failure {
    Failure::new(Kind::Usage, message)
}
