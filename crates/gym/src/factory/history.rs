//! Bug records from the commits of a repository, the newest first.

use serde::{Deserialize, Serialize};

use super::funnel::Stage;
use super::mine::{Crew, draws};
use super::steps::{Bench, build, chosen, keep};
use super::{Recipe, Yield};
use crate::grade::Workshop;
use crate::parallel;
use crate::record::BugRecord;
use crate::skills::Rejection;
use crate::sources::git::{Commit, Repository};
use crate::sources::history::screen;
use crate::validate::{self, Lab, try_fix, validate_fix};

/// What held a commit back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    at: At,
    code: String,
    detail: String,
    /// Whether only the infrastructure failed.
    is_open: bool,
}

/// The stage that held it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum At {
    Candidate,
    Buildable,
    History,
}

impl At {
    fn stage(self) -> Stage {
        match self {
            Self::Candidate => Stage::Candidate,
            Self::Buildable => Stage::Buildable,
            Self::History => Stage::History,
        }
    }

    fn holds(self, code: impl Into<String>, detail: impl Into<String>) -> Held {
        Held { at: self, code: code.into(), detail: detail.into(), is_open: false }
    }
}

/// The first bug records, in the order of the commits.
pub(super) fn records(
    crew: &Crew,
    (repository, commits): (&Repository, &[Commit]),
    recipe: &Recipe,
    made: &mut Yield,
    progress: &mut dyn FnMut(usize, usize),
) -> Vec<BugRecord> {
    let mut found = Vec::new();
    let mut seen = 0;
    let examine = |commit: &Commit| {
        let key = format!("commit {}", commit.id);
        let once = || vec![examine(crew.workshop, repository, commit)];
        crew.ledger
            .settle_records(&key, |held: &Held| crew.is_stopped() || held.is_open, once)
            .pop()
            .expect("there is one for each commit")
    };
    parallel::in_order(commits, crew.workers, crew.stop, &examine, &mut |commit, outcome| {
        seen += 1;
        for at in [At::Candidate, At::Buildable, At::History] {
            let held = outcome.as_ref().err().filter(|held| held.at == at);
            made.funnel.count(at.stage(), held.map_or(Ok(()), |held| Err(&held.code)));
            if let Some(Held { code, detail, .. }) = held {
                // Most commits repair nothing, of which the number says enough.
                if at != At::Candidate {
                    made.notes.push(format!("commit {}: {code}: {detail}", &commit.id[..10]));
                }
                break;
            }
        }
        found.extend(outcome.ok());
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
    let examined = examine(workshop, repository, commit).map_err(|held| Rejection::new(&held.code, held.detail));
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

fn examine(workshop: &Workshop, repository: &Repository, commit: &Commit) -> Result<BugRecord, Held> {
    let fix = screen(repository, commit).map_err(|unfit| At::Candidate.holds(unfit.code, unfit.detail))?;
    let environment = workshop
        .environment(&fix.project.tests)
        .map_err(|cause| At::Buildable.holds("environment", cause.message()))?;
    let (backend, layers) = (workshop.backend.as_ref(), &workshop.layers);
    let lab =
        Lab { backend, environment: environment.as_ref(), layers, limits: workshop.suite_limits(&fix.project.tests) };
    let rejected = |rejection: validate::Rejection| {
        // Where the suite does not even run with the repair, the commit cannot be built here.
        let at = if rejection.is_of_build() { At::Buildable } else { At::History };
        Held { is_open: rejection.is_infrastructure(), ..at.holds(rejection.code(), rejection.to_string()) }
    };
    let shown = try_fix(&lab, &fix).map_err(rejected)?;
    let bench = Bench::prepare(workshop, &fix.project).map_err(|it| At::Buildable.holds(it.code, it.detail))?;
    validate_fix(&bench.ground(), &fix, &shown).map_err(rejected)
}
