//! From a healthy project to gated tasks: baseline, mutations, bug records, builders, gates. Every rejection is kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::baseline::baseline;
use crate::gate::{self, Evidence};
use crate::grade::Workshop;
use crate::grade::policy::is_source;
use crate::mutation;
use crate::project::Project;
use crate::record::{BugRecord, Mutation};
use crate::skills::{self, Build, Rejection};
use crate::task::Task;
use crate::validate;

/// How tasks are made.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Names of the skills to make tasks of.
    pub skills: Vec<String>,
    /// Bug records per project at most.
    pub records: usize,
    /// Assistant turns per task at most.
    pub max_turns: u32,
    /// Buggy variants per `testgen` task at most.
    pub max_variants: usize,
    /// Whether tasks pass the gates first. Only what is imitated and never graded may do without.
    pub gated: bool,
    /// Source of every choice.
    pub seed: u64,
}

/// What came out of one project.
#[derive(Debug, Default)]
pub struct Yield {
    /// Tasks that passed their gates.
    pub tasks: Vec<Task>,
    /// The evidence of all gates, passed or not.
    pub evidence: Vec<Evidence>,
    /// How many candidates each stage saw, by stage and code: the funnel.
    pub funnel: BTreeMap<String, usize>,
}

impl Yield {
    fn count(&mut self, stage: &str) {
        *self.funnel.entry(stage.to_owned()).or_default() += 1;
    }

    /// Adds what another project gave.
    pub fn merge(&mut self, other: Yield) {
        self.tasks.extend(other.tasks);
        self.evidence.extend(other.evidence);
        for (stage, count) in other.funnel {
            *self.funnel.entry(stage).or_default() += count;
        }
    }
}

/// Makes tasks from one project. Once `stop` is set no further mutation is tried.
///
/// # Errors
/// When the project itself cannot be used: no tests, none that pass, no environment.
pub fn make(
    workshop: &Workshop,
    project: &Project,
    recipe: &Recipe,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Yield),
) -> Result<Yield, Rejection> {
    let environment =
        workshop.environment(&project.tests).map_err(|cause| Rejection::new("environment", format!("{cause:?}")))?;
    let (backend, layers) = (workshop.backend.as_ref(), &workshop.layers);
    let baseline = baseline(backend, &environment, layers, project, &workshop.grading_limits)
        .map_err(|error| Rejection::new("baseline", error.to_string()))?;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let mut made = Yield::default();
    let mut records = 0;
    for site in sites(project, &mut rng) {
        if records == recipe.records || stop.load(Ordering::Relaxed) {
            break;
        }
        made.count("mutations tried");
        match validate::validate(backend, &environment, layers, project, &baseline, &site) {
            Ok(record) => {
                records += 1;
                made.count("bug records");
                build(workshop, &record, recipe, &mut rng, &mut made);
            }
            Err(rejection) => made.count(&format!("rejected mutation: {}", rejection.code())),
        }
        progress(&made);
    }
    Ok(made)
}

/// All mutations of the project's sources in random order, so that neighbours come from different functions.
fn sites(project: &Project, rng: &mut ChaCha8Rng) -> Vec<Mutation> {
    let sources = project.tree.paths().filter(|path| is_source(path));
    let mut by_function: BTreeMap<(String, String), Vec<Mutation>> = BTreeMap::new();
    for site in sources.filter_map(|path| Some(mutation::mutations(path, project.tree.text(path)?))).flatten() {
        by_function.entry((site.path.clone(), site.function.clone())).or_default().push(site);
    }
    let mut queues: Vec<Vec<Mutation>> = by_function.into_values().collect();
    queues.iter_mut().for_each(|queue| queue.shuffle(rng));
    queues.shuffle(rng);
    let rounds = queues.iter().map(Vec::len).max().unwrap_or_default();
    (0..rounds)
        .flat_map(|round| queues.iter().filter_map(move |queue| queue.get(round).cloned()).collect::<Vec<_>>())
        .collect()
}

fn build(workshop: &Workshop, record: &BugRecord, recipe: &Recipe, rng: &mut ChaCha8Rng, made: &mut Yield) {
    let build = Build { workshop, max_turns: recipe.max_turns, max_variants: recipe.max_variants };
    for skill in skills::ALL.iter().filter(|skill| recipe.skills.iter().any(|name| name == skill.name())) {
        match skill.build(&build, record, rng) {
            Ok(tasks) if !recipe.gated => made.tasks.extend(tasks),
            Ok(tasks) => keep(workshop, tasks, made),
            Err(rejection) => made.count(&format!("rejected {}: {}", skill.name(), rejection.code)),
        }
    }
}

/// Keeps tasks that pass their gates; tasks that were built together are kept together or not at all.
fn keep(workshop: &Workshop, tasks: Vec<Task>, made: &mut Yield) {
    let evidence: Vec<Evidence> = tasks.iter().map(|task| gate::check(workshop, task)).collect();
    let passed = evidence.iter().all(|row| row.passed);
    let known = |task: &Task| made.tasks.iter().any(|other| other.id == task.id);
    if passed && tasks.iter().any(known) {
        made.count("rejected task: duplicate");
        return;
    }
    for (task, row) in tasks.into_iter().zip(evidence) {
        let verdict = if passed { "gated" } else { "gate failed" };
        made.count(&format!("{verdict} {}", task.skill));
        if passed {
            made.tasks.push(task);
        }
        made.evidence.push(row);
    }
}
