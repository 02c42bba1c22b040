//! Many things at once: first the bug records, then the tasks of every record and skill.
//!
//! Which thread is faster and how many there are makes no difference: each task has random numbers of its own, and results are taken in
//! a fixed order. Only a run that reaches a limit of time may end differently the next time.

use std::sync::atomic::AtomicBool;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::pairs::Partners;
use super::steps::{Bench, build, chosen, keep, sites};
use super::{Recipe, Yield};
use crate::grade::Workshop;
use crate::parallel;
use crate::project::Project;
use crate::record::{BugRecord, Mutation};
use crate::skills::{Rejection, Skill};
use crate::validate::{BATCH, try_all};

/// How far mining is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The healthy suite has been run; bug records are looked for.
    Healthy,
    /// So many bug records have been found, in so many mutations.
    Records(usize, usize),
    /// Of so many records and skills so many have been dealt with, and so many tasks have passed their gates.
    Tasks {
        /// Pairs of a record and a skill.
        total: usize,
        /// Those that are done.
        done: usize,
        /// Tasks.
        gated: usize,
    },
}

/// Makes tasks from one project. Once `stop` is set nothing is begun any more.
///
/// # Errors
/// When the project itself cannot be used: no tests, none that pass, no environment.
pub fn mine(
    workshop: &Workshop,
    project: &Project,
    recipe: &Recipe,
    workers: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Yield, Rejection> {
    let bench = Bench::prepare(workshop, project)?;
    progress(Progress::Healthy);
    let mut made = Yield::default();
    let sites = sites(project, &mut ChaCha8Rng::seed_from_u64(recipe.seed));
    let found = records(&bench, &sites, recipe, workers, stop, &mut made, progress);
    let for_two = || chosen(recipe).filter(|skill| skill.takes_several_files());
    let pairs = if for_two().next().is_some() { pairs(&bench, &sites, &found, workers, stop) } else { Vec::new() };
    (0..pairs.len()).for_each(|_| made.count("bug records in two files"));
    let of_one = found.iter().flat_map(|record| chosen(recipe).map(move |skill| (record, skill)));
    let of_two = pairs.iter().flat_map(|record| for_two().map(move |skill| (record, skill)));
    let work: Vec<(&BugRecord, &dyn Skill)> = of_one.chain(of_two).collect();
    let mut done = 0;
    let build = |(record, skill): &(&BugRecord, &dyn Skill)| {
        build(workshop, recipe, *skill, record, &mut draws(recipe.seed, record, *skill))
    };
    parallel::in_order(&work, workers, stop, &build, &mut |(_, skill), built| {
        keep(*skill, built, &mut made);
        done += 1;
        progress(Progress::Tasks { total: work.len(), done, gated: made.tasks.len() });
        true
    });
    made.leave_out_telling();
    Ok(made)
}

/// The first bug records, in the order of the mutations.
fn records(
    bench: &Bench,
    sites: &[Mutation],
    recipe: &Recipe,
    workers: usize,
    stop: &AtomicBool,
    made: &mut Yield,
    progress: &mut dyn FnMut(Progress),
) -> Vec<BugRecord> {
    let mut found = Vec::new();
    let mut tried = 0;
    let batches: Vec<&[Mutation]> = sites.chunks(BATCH).collect();
    let validate = |batch: &&[Mutation]| {
        let ground = bench.ground();
        let tried = try_all(&ground, batch).into_iter();
        tried.map(|tried| tried.and_then(|tried| tried.confirm(&ground))).collect::<Vec<_>>()
    };
    parallel::in_order(&batches, workers, stop, &validate, &mut |_, outcomes| {
        // What a batch has beyond the wanted records is as if it had not been tried.
        for outcome in outcomes {
            if found.len() == recipe.records {
                break;
            }
            tried += 1;
            found.extend(made.tried(outcome));
            progress(Progress::Records(found.len(), tried));
        }
        found.len() < recipe.records
    });
    found
}

/// Records with a second bug in another file, at most one made from each record.
fn pairs(bench: &Bench, sites: &[Mutation], found: &[BugRecord], workers: usize, stop: &AtomicBool) -> Vec<BugRecord> {
    let partners = Partners::of(bench, sites);
    parallel::map(found, workers, stop, &|record| partners.pair(record)).into_iter().flatten().collect()
}

/// The random numbers of the tasks of one skill from one record.
fn draws(seed: u64, record: &BugRecord, skill: &dyn Skill) -> ChaCha8Rng {
    let hash = blake3::hash(format!("{seed} {} {}", record.buggy.id().0, skill.name()).as_bytes());
    ChaCha8Rng::from_seed(*hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skills;
    use crate::testkit;

    fn mined(workers: usize) -> Yield {
        let (_directory, workshop) = testkit::workshop();
        let skills = skills::ALL.iter().map(|skill| skill.name().to_owned()).collect();
        let recipe = Recipe { skills, records: 2, max_turns: 8, max_variants: 4, gated: true, seed: 5 };
        mine(&workshop, &testkit::project(), &recipe, workers, &AtomicBool::new(false), &mut |_| ())
            .expect("the package is healthy")
    }

    #[test]
    fn a_seed_gives_the_same_tasks_however_many_work_at_once() {
        let (alone, together) = (mined(1), mined(3));
        assert!(!alone.tasks.is_empty());
        assert_eq!(alone.tasks, together.tasks);
        assert_eq!(alone.funnel, together.funnel);
    }
}
