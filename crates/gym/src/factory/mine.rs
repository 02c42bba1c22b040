//! Many things at once: first the bug records, then the tasks of every record and skill.
//!
//! Which thread is faster and how many there are makes no difference: each task has random numbers of its own, and results are taken in
//! a fixed order. Only a run that reaches a limit of time may end differently the next time.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::pairs::Partners;
use super::steps::{Bench, build, chosen, is_open, keep, sites};
use super::{Ledger, Recipe, Stage, Yield, history, releases};
use crate::grade::Workshop;
use crate::languages;
use crate::parallel;
use crate::project::Project;
use crate::record::{BugRecord, Mutation};
use crate::skills::{Rejection, Skill};
use crate::sources::git::{Commit, Repository};
use crate::sources::releases::Line;
use crate::validate::{batches, try_all};
use crate::wording::Wording;

/// How far mining is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many bug records have been found in so many commits.
    Commits(usize, usize),
    /// So many bug records have been found in so many pairs of releases.
    Releases(usize, usize),
    /// The healthy suite begins.
    Begun,
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

/// What tasks are made from.
#[derive(Clone, Copy, Default)]
pub struct Quarry<'a> {
    /// A healthy project, for mutations.
    pub healthy: Option<&'a Project>,
    /// A repository with its commits, for repairs in its history.
    pub history: Option<(&'a Repository, &'a [Commit])>,
    /// The releases of a package and how many pairs of them to look at, for repairs between them.
    pub releases: Option<(&'a Line, usize)>,
}

/// Who works.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    /// Where code runs.
    pub workshop: &'a Workshop,
    /// Threads.
    pub workers: usize,
    /// Once this is set nothing is begun any more.
    pub stop: &'a AtomicBool,
    /// What is settled already.
    pub ledger: &'a Ledger,
    /// Who words texts; templates alone do without.
    pub texts: Option<&'a Wording>,
}

impl Crew<'_> {
    /// What comes out while everything is being stopped may have been cut short.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Makes tasks.
///
/// # Errors
/// When the project itself cannot be used: no tests, none that pass, no environment.
pub fn mine(
    crew: &Crew,
    quarry: &Quarry,
    recipe: &Recipe,
    progress: &mut dyn FnMut(Progress),
) -> Result<Yield, Rejection> {
    let mut made = Yield::default();
    let mut records = Vec::new();
    if let Some(history) = quarry.history {
        let shown = &mut |found, seen| progress(Progress::Commits(found, seen));
        records.extend(history::records(crew, history, recipe, &mut made, shown));
    }
    if let Some(line) = quarry.releases {
        let shown = &mut |found, seen| progress(Progress::Releases(found, seen));
        records.extend(releases::records(crew, line, recipe, &mut made, shown));
    }
    if let Some(project) = quarry.healthy {
        records.extend(mutated(crew, project, recipe, &mut made, progress)?);
    }
    if let Some(texts) = crew.texts {
        word(crew, texts, &mut records)?;
    }
    let skills = |record: &BugRecord| -> Vec<&'static dyn Skill> {
        let language = languages::of_runner(record.tests.runner);
        let several = record.change.paths().len() > 1;
        chosen(recipe).filter(|skill| skill.speaks(language) && (!several || skill.takes_several_files())).collect()
    };
    let work: Vec<(&BugRecord, &dyn Skill)> =
        records.iter().flat_map(|record| skills(record).into_iter().map(move |skill| (record, skill))).collect();
    let mut done = 0;
    let build = |(record, skill): &(&BugRecord, &dyn Skill)| {
        let key = format!("tasks {} {} {}", record.id, record.buggy.id().0, skill.name());
        let once = || build(crew.workshop, recipe, *skill, record, &mut draws(recipe.seed, record, *skill));
        crew.ledger.settle(&key, |built| crew.is_stopped() || is_open(built), once)
    };
    parallel::in_order(&work, crew.workers, crew.stop, &build, &mut |(_, skill), built| {
        keep(*skill, built, &mut made);
        done += 1;
        progress(Progress::Tasks { total: work.len(), done, gated: made.tasks.len() });
        true
    });
    made.leave_out_telling();
    Ok(made)
}

/// Has a model write the texts of every record.
fn word(crew: &Crew, texts: &Wording, records: &mut [BugRecord]) -> Result<(), Rejection> {
    let words = |record: &BugRecord| {
        let once = || texts.words(crew.workshop, record);
        crew.ledger.settle(&format!("words {}", record.id), Result::is_err, once)
    };
    let written = parallel::map(records, crew.workers, crew.stop, &words);
    for (record, words) in records.iter_mut().zip(written) {
        record.words = words.map_err(|reason: String| Rejection::new("texts", reason))?;
    }
    Ok(())
}

/// Bug records by mutation, and after them those in two files.
fn mutated(
    crew: &Crew,
    project: &Project,
    recipe: &Recipe,
    made: &mut Yield,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<BugRecord>, Rejection> {
    progress(Progress::Begun);
    let bench = Bench::prepare_once(crew.workshop, project, crew.ledger)?;
    progress(Progress::Healthy);
    let sites = sites(project, &mut ChaCha8Rng::seed_from_u64(recipe.seed));
    let mut found = records(crew, &bench, &sites, recipe, made, progress);
    if chosen(recipe).any(|skill| skill.takes_several_files()) {
        let pairs = pairs(crew, &bench, &sites, &found);
        (0..pairs.len()).for_each(|_| made.funnel.count(Stage::SeveralFiles, Ok(())));
        found.extend(pairs);
    }
    Ok(found)
}

/// The first bug records, in the order of the mutations.
fn records(
    crew: &Crew,
    bench: &Bench,
    sites: &[Mutation],
    recipe: &Recipe,
    made: &mut Yield,
    progress: &mut dyn FnMut(Progress),
) -> Vec<BugRecord> {
    let mut found = Vec::new();
    let mut tried = 0;
    let batches = batches(&bench.ground(), sites, recipe.records);
    let validate = |batch: &&[Mutation]| {
        let ground = bench.ground();
        let once = || {
            let tried = try_all(&ground, batch).into_iter();
            let confirmed = tried.map(|tried| tried.and_then(|tried| tried.confirm(&ground)));
            confirmed.map(|it| it.map_err(|it| (it.code().to_owned(), it.is_infrastructure()))).collect()
        };
        let is_open = |(_, is_infrastructure): &(String, bool)| crew.is_stopped() || *is_infrastructure;
        crew.ledger.settle_records(&format!("mutations {}", name(batch)), is_open, once)
    };
    parallel::in_order(&batches, crew.workers, crew.stop, &validate, &mut |_, outcomes| {
        // What a batch has beyond the wanted records is as if it had not been tried.
        for outcome in outcomes {
            if found.len() == recipe.records {
                break;
            }
            tried += 1;
            found.extend(made.tried(outcome.map_err(|(code, _)| code)));
            progress(Progress::Records(found.len(), tried));
        }
        found.len() < recipe.records
    });
    found
}

/// Records with a second bug in another file, at most one made from each record.
fn pairs(crew: &Crew, bench: &Bench, sites: &[Mutation], found: &[BugRecord]) -> Vec<BugRecord> {
    let partners = Partners::of(bench, sites);
    let pair = |record: &BugRecord| {
        let once = || partners.pair(record).map(Ok).into_iter().collect();
        let is_open = |(): &()| crew.is_stopped();
        crew.ledger.settle_records(&format!("second {}", record.id), is_open, once)
    };
    parallel::map(found, crew.workers, crew.stop, &pair).into_iter().flatten().flatten().collect()
}

/// A name for mutations that are tried together.
fn name(batch: &[Mutation]) -> String {
    let bytes = serde_json::to_vec(batch).expect("mutations are plain values");
    blake3::hash(&bytes).to_hex()[..16].to_owned()
}

/// The random numbers of the tasks of one skill from one record.
pub(super) fn draws(seed: u64, record: &BugRecord, skill: &dyn Skill) -> ChaCha8Rng {
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
        let project = testkit::project();
        let quarry = Quarry { healthy: Some(&project), ..Quarry::default() };
        let (stop, ledger) = (AtomicBool::new(false), Ledger::default());
        let crew = Crew { workshop: &workshop, workers, stop: &stop, ledger: &ledger, texts: None };
        mine(&crew, &quarry, &recipe, &mut |_| ()).expect("the package is healthy")
    }

    #[test]
    fn a_seed_gives_the_same_tasks_however_many_work_at_once() {
        let (alone, together) = (mined(1), mined(3));
        assert!(!alone.tasks.is_empty());
        assert_eq!(alone.tasks, together.tasks);
        assert_eq!(alone.funnel, together.funnel);
    }
}
