//! From rows to tasks: each row becomes two commits of our copy of its repository, and the second one is examined like any other.

use std::path::{Path, PathBuf};

use super::row::{Row, read};
use crate::factory::{Yield, of_commit};
use crate::formats::{FormatError, Intake, patch};
use crate::project::{Origin, Revision};
use crate::record::BugRecord;
use crate::skills::Rejection;
use crate::sources::git::{Commit, Draft, Repository, address};

/// Reads rows and gates what they become. Rows that do not show their repair here are left out with the reason.
pub(super) fn rows(intake: &Intake, path: &Path) -> Result<Yield, FormatError> {
    let rows = read(path)?;
    let beside = path.join("repositories");
    let place = intake.repositories.clone().or_else(|| beside.is_dir().then_some(beside));
    let found: Vec<String> = rows.iter().map(|row| find(row, place.as_deref())).collect::<Result<_, _>>()?;
    let mut made = Yield::default();
    for (row, url) in rows.iter().zip(found) {
        let mut own = of_row(intake, row, &url)?;
        own.notes.iter_mut().for_each(|note| *note = format!("{}: {note}", row.instance_id));
        made.merge(own);
    }
    made.leave_out_telling();
    Ok(made)
}

fn of_row(intake: &Intake, row: &Row, url: &str) -> Result<Yield, FormatError> {
    let repository = Repository::open(url, Some(&row.base_commit), intake.downloads)?;
    let commit = match commit(&repository, row)? {
        Ok(commit) => commit,
        Err(reason) => return Ok(Yield { notes: vec![format!("patch: {reason}")], ..Yield::default() }),
    };
    let accept = &mut |record: &mut BugRecord| accept(record, row, &repository);
    Ok(of_commit(intake.workshop, (&repository, &commit), intake.recipe, accept))
}

/// The tree of the row with both patches as a commit, on top of one with the tree as it was.
fn commit(repository: &Repository, row: &Row) -> Result<Result<Commit, String>, FormatError> {
    let time = repository.time;
    let base = repository.snapshot(&repository.head)?.tree;
    let patched = patch::apply(&base, &row.test_patch)
        .map_err(|reason| format!("`test_patch`: {reason}"))
        .and_then(|(tests, _)| patch::apply(&tests, &row.patch).map_err(|reason| format!("`patch`: {reason}")));
    let healthy = match patched {
        Ok((healthy, _)) => healthy,
        Err(reason) => return Ok(Err(reason)),
    };
    let name = &blake3::hash(format!("{} {}", row.instance_id, row.base_commit).as_bytes()).to_hex()[..32];
    let before = Draft { tree: &base, parent: None, message: "Before\n", time };
    let before = repository.keep(&format!("{name}-before"), &before)?;
    let after = Draft { tree: &healthy, parent: Some(&before.id), message: &row.problem_statement, time };
    Ok(Ok(repository.keep(&format!("{name}-after"), &after)?))
}

/// The record must have the tests that the row says it has, and is known by the row from then on.
fn accept(record: &mut BugRecord, row: &Row, repository: &Repository) -> Result<(), Rejection> {
    if let Some(test) = row.fail_to_pass.iter().find(|test| !record.fail_to_pass.contains(test)) {
        let detail = format!("`FAIL_TO_PASS` has `{test}`, which the repair does not make pass here");
        return Err(Rejection::new("fail_to_pass", detail));
    }
    let revision = record.origin.revision.take();
    let date = revision.map_or_else(String::new, |revision| revision.date);
    let commit = repository.head.clone();
    record.origin = Origin {
        source: "swebench".to_owned(),
        locator: row.instance_id.clone(),
        revision: Some(Revision { commit, date, is_fix: true }),
        licence: record.origin.licence.clone(),
    };
    Ok(())
}

/// Where the repository of a row is: in the directory that was named, or at the place that its name says.
fn find(row: &Row, place: Option<&Path>) -> Result<String, FormatError> {
    let (owner, name) = row.repo.split_once('/').ok_or_else(|| {
        let problem = format!("`repo` is `{}`, expected `owner/name`", row.repo);
        FormatError::field(format!("row `{}`", row.instance_id), problem, "correct the row")
    })?;
    let Some(place) = place else { return Ok(format!("https://github.com/{owner}/{name}.git")) };
    let candidates = [format!("{owner}__{name}"), format!("{owner}/{name}"), name.to_owned()];
    let paths = candidates.iter().flat_map(|candidate| [place.join(candidate), place.join(format!("{candidate}.git"))]);
    let found = paths.filter_map(|path: PathBuf| address(&path.to_string_lossy())).next();
    found.ok_or_else(|| {
        let problem = format!("has no repository `{owner}__{name}`, which row `{}` names", row.instance_id);
        FormatError::file(place, problem, "clone it there, or leave `--repositories` out to fetch it")
    })
}
