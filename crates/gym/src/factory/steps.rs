//! The steps from a project to tasks, which know nothing of what runs beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Ledger, Recipe, Stage, Yield};
use crate::baseline::{Baseline, baseline};
use crate::episode::Grade;
use crate::gate::{self, Evidence};
use crate::grade::Workshop;
use crate::languages::{self, Environment};
use crate::project::Project;
use crate::record::{BugRecord, Mutation, TestId};
use crate::skills::{self, Build, Rejection, Skill};
use crate::task::Task;
use crate::validate::Ground;

/// A project with its environment and what its healthy suite does.
pub(super) struct Bench<'a> {
    workshop: &'a Workshop,
    project: &'a Project,
    environment: Arc<dyn Environment>,
    baseline: Baseline,
}

impl<'a> Bench<'a> {
    pub(super) fn prepare(workshop: &'a Workshop, project: &'a Project) -> Result<Self, Rejection> {
        Self::prepare_once(workshop, project, &Ledger::default())
    }

    /// The same with a suite that was run before, if it was.
    pub(super) fn prepare_once(
        workshop: &'a Workshop,
        project: &'a Project,
        ledger: &Ledger,
    ) -> Result<Self, Rejection> {
        let environment =
            workshop.environment(&project.tests).map_err(|cause| Rejection::new("environment", cause.message()))?;
        let limits = workshop.suite_limits(&project.tests);
        let run = || baseline(workshop.backend.as_ref(), environment.as_ref(), &workshop.layers, project, &limits);
        let healthy: Result<Baseline, Rejection> = ledger.settle("healthy suite", Result::is_err, || {
            run().map_err(|error| Rejection::new("baseline", error.to_string()))
        });
        // The cache may have been emptied since.
        let layer = workshop.layers.layer(&project.tree);
        let mut baseline = healthy?;
        baseline.layer = layer.map_err(|error| Rejection::new("baseline", error.to_string()))?;
        Ok(Self { workshop, project, environment, baseline })
    }

    /// The tests that enter the function around a mutation, if that is known.
    pub(super) fn touching(&self, site: &Mutation) -> Option<BTreeSet<TestId>> {
        self.baseline.coverage.as_ref()?.touching(&site.path, self.project.tree.text(&site.path)?, site.line)
    }

    /// Those of them that can be relied on.
    pub(super) fn relevant(&self, site: &Mutation) -> Option<BTreeSet<TestId>> {
        Some(self.touching(site)?.intersection(&self.baseline.passing).cloned().collect())
    }

    /// The tests that can be relied on.
    pub(super) fn reliable(&self) -> &BTreeSet<TestId> {
        &self.baseline.passing
    }

    pub(super) fn ground(&self) -> Ground<'_> {
        let Self { workshop, project, environment, baseline } = self;
        Ground {
            backend: workshop.backend.as_ref(),
            environment: environment.as_ref(),
            layers: &workshop.layers,
            project,
            baseline,
        }
    }
}

/// All mutations of the project's sources in random order, so that neighbours come from different functions.
pub(super) fn sites(project: &Project, rng: &mut ChaCha8Rng) -> Vec<Mutation> {
    let language = languages::of_runner(project.tests.runner);
    let sources = project.tree.paths().filter(|path| language.is_source(path));
    let mut by_function: BTreeMap<(String, String), Vec<Mutation>> = BTreeMap::new();
    for site in sources.filter_map(|path| Some(language.mutations(path, project.tree.text(path)?))).flatten() {
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

/// The skills of a recipe, in the order of the registry.
pub(super) fn chosen(recipe: &Recipe) -> impl Iterator<Item = &'static dyn Skill> {
    skills::ALL.iter().copied().filter(|skill| recipe.skills.iter().any(|name| name == skill.name()))
}

/// Tasks that were built together, each with the evidence of its gates unless the recipe does without.
pub(super) type Built = Result<Vec<(Task, Option<Evidence>)>, Rejection>;

/// Builds the tasks of one skill from one record and passes them through their gates.
pub(super) fn build(
    workshop: &Workshop,
    recipe: &Recipe,
    skill: &dyn Skill,
    record: &BugRecord,
    rng: &mut ChaCha8Rng,
) -> Built {
    let language = languages::of_runner(record.tests.runner);
    if !skill.speaks(language) {
        return Err(Rejection::new("language", format!("not made from {} yet", language.name())));
    }
    let build = Build { workshop, max_turns: recipe.max_turns, max_variants: recipe.max_variants };
    Ok(gated(workshop, recipe, skill.build(&build, record, rng)?))
}

/// Tasks with the evidence of their gates.
pub(super) fn gated(workshop: &Workshop, recipe: &Recipe, tasks: Vec<Task>) -> Vec<(Task, Option<Evidence>)> {
    let judged = |task| {
        let evidence = recipe.gated.then(|| gate::check(workshop, &task));
        (task, evidence)
    };
    tasks.into_iter().map(judged).collect()
}

/// Whether the infrastructure failed, so that it may end otherwise the next time.
pub(super) fn is_open(built: &Built) -> bool {
    match built {
        Err(rejection) => matches!(rejection.code.as_str(), "infrastructure" | "store"),
        Ok(tasks) => {
            let invalid = |(_, grade): &(String, Grade)| matches!(grade, Grade::Invalid(_));
            tasks.iter().filter_map(|(_, evidence)| evidence.as_ref()).any(|row| row.runs.iter().any(invalid))
        }
    }
}

/// Keeps tasks that pass their gates; tasks that were built together are kept together or not at all.
pub(super) fn keep(skill: &dyn Skill, built: Built, made: &mut Yield) {
    let stage = || Stage::Skill(skill.name().to_owned());
    let tasks = match built {
        Ok(tasks) => tasks,
        Err(rejection) => return made.funnel.count(stage(), Err(&rejection.code)),
    };
    let passed = tasks.iter().all(|(_, evidence)| evidence.as_ref().is_none_or(|row| row.passed));
    // Kinds that choose for themselves what of a function they are about ask for the same from two records.
    let is_same = |one: &Task, other: &Task| {
        one.id == other.id || !skill.suits_generated() && one.skill == other.skill && one.prompt == other.prompt
    };
    let known = |task: &Task| made.tasks.iter().any(|other| is_same(other, task));
    if passed && tasks.iter().any(|(task, evidence)| evidence.is_some() && known(task)) {
        made.funnel.count(stage(), Err("duplicate"));
        return;
    }
    for (task, evidence) in tasks {
        if evidence.is_some() {
            made.funnel.count(stage(), if passed { Ok(()) } else { Err("gate_failed") });
        }
        if passed {
            made.tasks.push(task);
        }
        made.evidence.extend(evidence);
    }
}
