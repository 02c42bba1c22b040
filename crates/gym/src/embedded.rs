//! Packs of generated packages, made by the ordinary pipeline: what the program trains and tests itself on by default.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::factory::{self, Recipe, Yield};
use crate::grade::Workshop;
use crate::pack::{Manifest, Pack, PackError};
use crate::parallel;
use crate::skills::Rejection;
use crate::sources::generated::{Split, generate};
use crate::task::Task;

/// Packages that are made at once; quotas are looked at in between, so that the result does not depend on timing.
const CHUNK: usize = 8;

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which vocabulary and templates.
    pub split: Split,
    /// Seed of the first package; the following ones count up.
    pub first_seed: u64,
    /// Packages at most.
    pub packages: usize,
    /// Tasks per skill at most; a skill that has them is not built any more.
    pub tasks_per_skill: usize,
    /// How tasks are made from each package.
    pub recipe: Recipe,
}

/// A pack that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// A generated package was refused: a defect of the generator or of the machine.
    #[error("generated package {seed}: {code}: {detail}")]
    Package {
        /// Its seed.
        seed: u64,
        /// The code of the rejection.
        code: String,
        /// One line.
        detail: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Stopped,
    /// The pack could not be written.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Makes a pack below `path`, whose blobs must be those of the workshop.
///
/// `progress` gets the number of tasks so far and the number wanted.
///
/// # Errors
/// [`EmbeddedError`]; nothing that a later call would take for a pack is left behind.
pub fn make_pack(
    workshop: &Workshop,
    path: &Path,
    name: &str,
    plan: &Plan,
    workers: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Manifest, EmbeddedError> {
    let made = make_tasks(workshop, plan, workers, stop, progress)?;
    Ok(Pack::write(path, name, &made.tasks, &made.evidence)?)
}

/// Makes the tasks of a plan, in memory but for their trees.
///
/// # Errors
/// As [`make_pack`].
pub fn make_tasks(
    workshop: &Workshop,
    plan: &Plan,
    workers: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Yield, EmbeddedError> {
    let wanted = plan.tasks_per_skill * plan.recipe.skills.len();
    let mut made = Yield::default();
    let mut recipe = plan.recipe.clone();
    let seeds: Vec<u64> = (plan.first_seed..).take(plan.packages).collect();
    for chunk in seeds.chunks(CHUNK) {
        let counts = counts(&made.tasks);
        recipe.skills.retain(|skill| counts.get(skill.as_str()).is_none_or(|count| *count < plan.tasks_per_skill));
        if recipe.skills.is_empty() {
            break;
        }
        for result in parallel::map(chunk, workers, stop, &|seed| package(workshop, plan.split, *seed, &recipe, stop)) {
            made.merge(result?);
        }
        if stop.load(Ordering::Relaxed) {
            return Err(EmbeddedError::Stopped);
        }
        progress(counts_within(&made.tasks, plan.tasks_per_skill), wanted);
    }
    if recipe.gated {
        // Here there are surplus pairs to take from; those that the quota leaves are asked once more.
        made.leave_out_telling();
    }
    made.tasks = within_quota(made.tasks, plan.tasks_per_skill);
    if recipe.gated {
        made.leave_out_telling();
    }
    Ok(made)
}

fn package(
    workshop: &Workshop,
    split: Split,
    seed: u64,
    recipe: &Recipe,
    stop: &AtomicBool,
) -> Result<Yield, EmbeddedError> {
    let project = generate(seed, split);
    let own = Recipe { seed: recipe.seed ^ seed, ..recipe.clone() };
    factory::make(workshop, &project, &own, stop).map_err(|Rejection { code, detail }| EmbeddedError::Package {
        seed,
        code,
        detail,
    })
}

fn counts(tasks: &[Task]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for task in tasks {
        *counts.entry(task.skill.as_str()).or_default() += 1;
    }
    counts
}

fn counts_within(tasks: &[Task], quota: usize) -> usize {
    counts(tasks).values().map(|count| (*count).min(quota)).sum()
}

/// The first tasks of each skill; a pair that would be cut apart is left out.
fn within_quota(tasks: Vec<Task>, quota: usize) -> Vec<Task> {
    let mut kept: Vec<Task> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for task in tasks {
        let count = seen.entry(task.skill.clone()).or_default();
        *count += 1;
        if *count <= quota {
            kept.push(task);
        }
    }
    let partners = |pair: &str| kept.iter().filter(|task| task.pair == pair).count();
    let lonely: Vec<String> = kept
        .iter()
        .filter(|task| !task.pair.is_empty() && partners(&task.pair) == 1)
        .map(|task| task.id.clone())
        .collect();
    kept.retain(|task| !lonely.contains(&task.id));
    kept
}
