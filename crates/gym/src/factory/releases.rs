//! Bug records from pairs of releases, the newest first.

use super::held::{At, Held};
use super::history::{TODAY, is_of_today};
use super::mine::Crew;
use super::steps::Bench;
use super::{Recipe, Yield};
use crate::parallel;
use crate::record::BugRecord;
use crate::sources::releases::{Line, Pair, screen};
use crate::validate::validate_upgrade;

/// The first bug records, in the order of the releases.
pub(super) fn records(
    crew: &Crew,
    (line, most): (&Line, usize),
    recipe: &Recipe,
    made: &mut Yield,
    progress: &mut dyn FnMut(usize, usize),
) -> Vec<BugRecord> {
    let mut found: Vec<BugRecord> = Vec::new();
    let (mut seen, mut newest) = (0, line.newest.clone());
    while found.len() < recipe.records && seen < most && !crew.is_stopped() {
        // As many as are looked at beside each other: further ones may not be needed.
        let (pairs, end) = pairs(line, &newest, crew.workers.clamp(1, most - seen));
        let examine = |pair: &Pair| {
            let key = format!("releases {} {} {}", line.name, pair.older, pair.newer);
            let is_open = |held: &Held| crew.is_stopped() || held.is_open;
            crew.ledger.settle_records(&key, is_open, || examine(crew, line, pair, recipe.records))
        };
        parallel::in_order(&pairs, crew.workers, crew.stop, &examine, &mut |pair, outcomes| {
            seen += 1;
            found.extend(take(pair, outcomes, recipe.records - found.len(), made));
            progress(found.len(), seen);
            found.len() < recipe.records
        });
        if let Some(reason) = end.filter(|_| found.len() < recipe.records) {
            made.notes.push(format!("no further releases: {reason}"));
            break;
        }
        newest = pairs.last().map_or(newest, |pair| pair.older.clone());
    }
    found
}

/// The next pairs, and why there are no more.
fn pairs(line: &Line, newest: &str, count: usize) -> (Vec<Pair>, Option<String>) {
    let mut pairs: Vec<Pair> = Vec::new();
    while pairs.len() < count {
        match line.before(pairs.last().map_or(newest, |pair| &pair.older)) {
            Ok(pair) => pairs.push(pair),
            Err(error) => return (pairs, Some(error.to_string())),
        }
    }
    (pairs, None)
}

/// Counts what came of a pair, and gives its first records. What it has beyond them is as if it had not been tried.
fn take(pair: &Pair, outcomes: Vec<Result<BugRecord, Held>>, most: usize, made: &mut Yield) -> Vec<BugRecord> {
    let stages = [At::CandidatePair, At::BuildablePair];
    let whole = outcomes.iter().find_map(|outcome| outcome.as_ref().err().filter(|held| stages.contains(&held.at)));
    made.passed(&stages, whole);
    let name = format!("releases {} to {}", pair.older, pair.newer);
    let mut records = Vec::new();
    for outcome in outcomes {
        if records.len() == most {
            break;
        }
        let held = outcome.as_ref().err();
        if held.is_none_or(|held| held.at == At::Releases) {
            made.passed(&[At::Releases], held);
        }
        match outcome {
            Err(Held { code, detail, .. }) => made.notes.push(format!("{name}: {code}: {detail}")),
            Ok(record) => records.push(record),
        }
    }
    if records.first().is_some_and(is_of_today) {
        made.notes.push(format!("{name}: {TODAY}"));
    }
    records
}

fn examine(crew: &Crew, line: &Line, pair: &Pair, most: usize) -> Vec<Result<BugRecord, Held>> {
    let upgrade = match screen(line, pair) {
        Ok(upgrade) => upgrade,
        Err(unfit) => return vec![Err(At::CandidatePair.holds(unfit.code, unfit.detail))],
    };
    let bench = match Bench::prepare(crew.workshop, &upgrade.project) {
        Ok(bench) => bench,
        Err(rejection) => return vec![Err(At::BuildablePair.holds(rejection.code, rejection.detail))],
    };
    match validate_upgrade(&bench.ground(), &upgrade, most) {
        Ok(outcomes) => outcomes.into_iter().map(|it| it.map_err(|it| At::Releases.rejects(&it))).collect(),
        Err(rejection) => vec![Err(At::Releases.rejects(&rejection))],
    }
}
