//! The packs of the embedded default: generated once from their seeds, kept in the cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use basis_gym::blobs::Blobs;
use basis_gym::embedded::{self, EmbeddedError, Plan};
use basis_gym::factory::Recipe;
use basis_gym::grade::Workshop;
use basis_gym::pack::Pack;
use basis_gym::skills::{self, Skill};
use basis_gym::sources::generated::Split;
use basis_gym::task::Task;

use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

/// Raise this when the generator, the operators or a builder changes what a seed gives.
const VERSION: u32 = 5;

/// A use of generated packages. What is trained on and what is measured on share no seed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// What joint training works on.
    Train,
    /// Composite tasks of the packages of [`Use::Train`], for the arm of an ablation that trains on them.
    TrainComposite,
    /// What is measured on: other templates and identifiers.
    HeldOut,
}

impl Use {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::TrainComposite => "train-composite",
            Self::HeldOut => "held-out",
        }
    }

    fn plan(self, tasks_per_skill: usize) -> Plan {
        let (split, first_seed) = match self {
            Self::Train | Self::TrainComposite => (Split::Train, 2_000_000),
            Self::HeldOut => (Split::HeldOut, 3_000_000),
        };
        // Joint training never works on composite kinds.
        let wanted = |composite: bool| match self {
            Self::Train => !composite,
            Self::TrainComposite => composite,
            Self::HeldOut => true,
        };
        let skills = embedded().filter(|skill| wanted(skill.is_composite())).map(|skill| skill.name().to_owned());
        let recipe = Recipe {
            skills: skills.collect(),
            records: 3,
            max_turns: 12,
            max_variants: 6,
            gated: true,
            seed: first_seed,
        };
        Plan { split, first_seed, packages: 4 * tasks_per_skill.max(8), tasks_per_skill, recipe }
    }
}

/// The skills that the embedded packs have.
fn embedded() -> impl Iterator<Item = &'static dyn Skill> {
    skills::ALL.iter().copied().filter(|skill| skill.suits_generated())
}

/// Tasks for the teacher, which are imitated and never graded: no pack, no gates. Their seeds are those of no pack.
pub(crate) fn lessons(
    context: &Context<'_>,
    workshop: &Workshop,
    tasks_per_skill: usize,
) -> Result<Vec<Arc<Task>>, Failure> {
    let mut plan = Use::Train.plan(tasks_per_skill);
    plan.first_seed = 1_000_000;
    plan.recipe.gated = false;
    plan.recipe.records = 6;
    plan.recipe.skills = embedded().map(|skill| skill.name().to_owned()).collect();
    let total = tasks_per_skill * plan.recipe.skills.len();
    let progress = context.printer.progress("lessons", total as u64);
    let mut seen = 0;
    let made = embedded::make_tasks(workshop, &plan, machine::cores(), &context.stop, &mut |done, _| {
        progress.advance(done.saturating_sub(seen) as u64);
        seen = done;
    });
    context.check_stop()?;
    Ok(made.kind(Kind::Unexpected)?.tasks.into_iter().map(Arc::new).collect())
}

/// Opens the pack of a use, making it first if the cache does not have it.
pub(crate) fn open(context: &Context<'_>, purpose: Use, tasks_per_skill: usize) -> Result<Pack, Failure> {
    let name = format!("{}-{tasks_per_skill}-v{VERSION}", purpose.name());
    let path = machine::cache(&context.settings).join("packs").join(&name);
    if !path.join("pack.toml").exists() {
        make(context, purpose, tasks_per_skill, &path, &name)?;
    }
    Pack::open(&path).kind(Kind::Input)
}

fn make(context: &Context<'_>, purpose: Use, tasks_per_skill: usize, path: &Path, name: &str) -> Result<(), Failure> {
    let plan = purpose.plan(tasks_per_skill);
    let mut workshop = machine::workshop(&context.settings, Pack::blobs(path).kind(Kind::Machine)?)?;
    hurry(&mut workshop);
    let total = tasks_per_skill * plan.recipe.skills.len();
    let progress = context.printer.progress(&format!("{} tasks", purpose.name()), total as u64);
    let mut seen = 0;
    let made = embedded::make_pack(&workshop, path, name, &plan, machine::cores(), &context.stop, &mut |done, _| {
        progress.advance(done.saturating_sub(seen) as u64);
        seen = done;
    });
    match made {
        Ok(_) => Ok(()),
        Err(EmbeddedError::Stopped) => context.check_stop(),
        Err(error @ EmbeddedError::Package { .. }) => Err(Failure::from_error(Kind::Unexpected, error)),
        Err(error) => Err(Failure::from_error(Kind::Machine, error)),
    }
}

/// Tests of generated packages take milliseconds and little memory: what takes seconds hangs, and need not be waited for; what may
/// use less leaves room for more sandboxes at once.
pub(crate) fn hurry(workshop: &mut Workshop) {
    for limits in [&mut workshop.agent_limits, &mut workshop.grading_limits] {
        limits.wall = limits.wall.min(GENERATED_WALL);
        limits.memory_bytes = limits.memory_bytes.min(GENERATED_MEMORY);
    }
}

const GENERATED_WALL: Duration = Duration::from_secs(2);
const GENERATED_MEMORY: u64 = 256 << 20;

/// A workshop that reads the trees of several packs.
pub(crate) fn workshop(context: &Context<'_>, packs: &[&Pack]) -> Result<Workshop, Failure> {
    let mut paths = packs.iter().map(|pack| pack.path.join("blobs"));
    let first: PathBuf = paths.next().expect("there is at least one pack");
    let blobs = Blobs::open(first).kind(Kind::Input)?;
    machine::workshop(&context.settings, Arc::new(paths.fold(blobs, Blobs::also_from)))
}

/// A workshop that reads the trees of no pack.
pub(crate) fn workshop_without(context: &Context<'_>) -> Result<Workshop, Failure> {
    let blobs = Blobs::open(machine::cache(&context.settings).join("blobs")).kind(Kind::Machine)?;
    machine::workshop(&context.settings, Arc::new(blobs))
}

/// How tasks of the named skills (all when none is named) are made for a pack.
pub(crate) fn recipe(
    context: &Context<'_>,
    wanted: &[String],
    records: usize,
    max_turns: u32,
) -> Result<Recipe, Failure> {
    let known: Vec<&str> = skills::ALL.iter().map(|skill| skill.name()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::new(Kind::Usage, format!("unknown skill `{unknown}`; known: {}", known.join(", "))));
    }
    let all = || known.iter().map(|name| (*name).to_owned()).collect();
    let skills = if wanted.is_empty() { all() } else { wanted.to_vec() };
    Ok(Recipe { skills, records, max_turns, max_variants: 16, gated: true, seed: context.settings.run.seed })
}

/// Refuses a directory that is a pack already.
pub(crate) fn refuse_pack(out: &Path) -> Result<(), Failure> {
    match out.join("pack.toml").exists() {
        true => Err(Failure::new(Kind::Input, format!("`{}` is already a pack", out.display()))
            .hint("choose another place with `--out`")),
        false => Ok(()),
    }
}

/// Up to `limit` tasks of each skill (all when 0), of the named skills (all when none is named).
pub(crate) fn select(pack: &Pack, wanted: &[String], limit: usize) -> Result<Vec<Arc<Task>>, Failure> {
    let known = |name: &String| pack.manifest.counts.contains_key(name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let counts: Vec<&str> = pack.manifest.counts.keys().map(String::as_str).collect();
        return Err(Failure::new(
            Kind::Usage,
            format!("the pack has no tasks of `{unknown}`, only of {}", counts.join(", ")),
        ));
    }
    let names = pack.manifest.counts.keys().filter(|name| wanted.is_empty() || wanted.contains(name));
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(names.flat_map(|name| pack.of_skill(name).into_iter().take(limit)).collect())
}
