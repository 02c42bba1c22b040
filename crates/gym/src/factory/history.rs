//! Bug records from the commits of a repository, the newest first.

use super::held::{At, Held};
use super::mine::{Crew, draws};
use super::steps::{Bench, build, chosen, keep};
use super::{Recipe, Stage, Yield};
use crate::grade::Workshop;
use crate::languages;
use crate::parallel;
use crate::record::BugRecord;
use crate::skills::Rejection;
use crate::sources::git::{Commit, Repository};
use crate::sources::history::{Site, screen};
use crate::sources::{self, SourceError};
use crate::validate::{self, Lab, try_fix, validate_fix};

/// Said of records whose packages could not be kept to their time.
pub(super) const TODAY: &str = "its packages have the versions of today: it is not known when they were published";

/// The first bug records, in the order of the commits.
pub(super) fn records(
    crew: &Crew,
    (repository, commits): (&Repository, &[Commit]),
    recipe: &Recipe,
    made: &mut Yield,
    progress: &mut dyn FnMut(usize, usize),
) -> Vec<BugRecord> {
    let mut found: Vec<BugRecord> = Vec::new();
    let mut seen = 0;
    let site = match site(crew.workshop, repository) {
        Ok(site) => site,
        Err(error) => {
            made.notes.push(format!("history: {error}"));
            return found;
        }
    };
    let examine = |commit: &Commit| {
        let key = format!("commit {}", commit.id);
        let once = || vec![examine(crew.workshop, &site, commit)];
        crew.ledger
            .settle_records(&key, |held: &Held| crew.is_stopped() || held.is_open, once)
            .pop()
            .expect("there is one for each commit")
    };
    parallel::in_order(commits, crew.workers, crew.stop, &examine, &mut |commit, outcome| {
        seen += 1;
        let name = format!("commit {}", &commit.id[..10]);
        made.passed(&[At::Candidate, At::Buildable, At::History], outcome.as_ref().err());
        match outcome {
            // Most commits repair nothing, of which the number says enough.
            Err(Held { at: At::Candidate, .. }) => {}
            Err(Held { code, detail, .. }) => made.notes.push(format!("{name}: {code}: {detail}")),
            Ok(record) => {
                if is_of_today(&record) {
                    made.notes.push(format!("{name}: {TODAY}"));
                }
                found.push(record);
            }
        }
        progress(found.len(), seen);
        found.len() < recipe.records
    });
    found
}

/// Tasks from one commit that is known to be a repair, as the records of a repository are made into tasks. `accept` may refuse or
/// complete the record that the commit became here.
pub fn of_commit(
    workshop: &Workshop,
    (repository, commit): (&Repository, &Commit),
    recipe: &Recipe,
    accept: &mut dyn FnMut(&mut BugRecord) -> Result<(), Rejection>,
) -> Yield {
    let mut made = Yield::default();
    let examined = site(workshop, repository)
        .map_err(|error| Rejection::new("unreadable", error.to_string()))
        .and_then(|site| examine(workshop, &site, commit).map_err(|held| Rejection::new(&held.code, held.detail)));
    let accepted = examined.and_then(|mut record| accept(&mut record).map(|()| record));
    made.funnel.count(Stage::History, accepted.as_ref().map(drop).map_err(|rejection| rejection.code.as_str()));
    let record = match accepted {
        Ok(record) => record,
        Err(Rejection { code, detail }) => {
            made.notes.push(format!("{code}: {detail}"));
            return made;
        }
    };
    for skill in chosen(recipe).filter(|skill| skill.takes_several_files() || record.change.paths().len() == 1) {
        let built = build(workshop, recipe, skill, &record, &mut draws(recipe.seed, &record, skill));
        keep(skill, built, &mut made);
    }
    made
}

/// Commits are taken apart as what the revision is written in says.
fn site<'a>(workshop: &'a Workshop, repository: &'a Repository) -> Result<Site<'a>, SourceError> {
    let language = sources::language(&repository.snapshot(&repository.head)?.tree);
    Ok(Site { repository, language, toolchains: &workshop.toolchains, scratch: &workshop.layers })
}

/// Whether packages are needed and nothing says as of when.
pub(super) fn is_of_today(record: &BugRecord) -> bool {
    let tests = &record.tests;
    tests.before.is_none() && languages::of_runner(tests.runner).needs_packages(tests)
}

fn examine(workshop: &Workshop, site: &Site, commit: &Commit) -> Result<BugRecord, Held> {
    let fix = screen(site, commit).map_err(|unfit| At::Candidate.holds(unfit.code, unfit.detail))?;
    let environment = workshop
        .environment(&fix.project.tests)
        .map_err(|cause| At::Buildable.holds("environment", cause.message()))?;
    let (backend, layers) = (workshop.backend.as_ref(), &workshop.layers);
    let lab =
        Lab { backend, environment: environment.as_ref(), layers, limits: workshop.suite_limits(&fix.project.tests) };
    let rejected = |rejection: validate::Rejection| {
        // Where the suite does not even run with the repair, the commit cannot be built here.
        let at = if rejection.is_of_build() { At::Buildable } else { At::History };
        at.rejects(&rejection)
    };
    let shown = try_fix(&lab, &fix).map_err(rejected)?;
    let bench = Bench::prepare(workshop, &fix.project).map_err(|it| At::Buildable.holds(it.code, it.detail))?;
    validate_fix(&bench.ground(), &fix, &shown).map_err(rejected)
}
