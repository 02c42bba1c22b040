//! Whether hidden tests notice repairs that are nearly right: small mistakes in the solution that show in some call.

use std::collections::BTreeSet;

use super::examine::{Objection, Subject};
use super::facts::{Change, Facts};
use crate::episode::{FileChange, Grade, Submission};
use crate::grade::calls::{self, Question};
use crate::languages::{self, functions};
use crate::tree::Tree;

/// Near misses that are tried.
const MOST: usize = 10;
/// Share of them that has to be rejected.
const REJECTED: f64 = 0.8;

pub(super) fn check(subject: &mut Subject<'_>) -> Result<(), Objection> {
    let broken = |reason: String| Objection::new("hidden", reason);
    let facts = Facts::of(subject.task).map_err(broken)?;
    let Some(repair) = &facts.repair else { return Ok(()) };
    let shown = subject.workshop.blobs.tree(&subject.task.context.tree).map_err(|error| broken(error.to_string()))?;
    let changes = facts.changes(subject.workshop, &shown).map_err(broken)?;
    let fixed = subject.workshop.blobs.tree(&repair.fixed).map_err(|error| broken(error.to_string()))?;
    partial(subject, &changes)?;
    let (mut tried, mut missed) = (0, Vec::new());
    for change in &changes {
        for text in near_misses(subject, &fixed, change)? {
            let mut files: Vec<FileChange> = changes.iter().map(|other| file(&other.path, &other.after)).collect();
            files.iter_mut().filter(|it| it.path == change.path).for_each(|it| it.content = Some(text.clone()));
            let grade = subject.judge("near miss", &Submission { answer: String::new(), files });
            tried += 1;
            if matches!(&grade, Grade::Scored(score) if score.reward > 0.0) {
                missed.push(first_difference(&change.after, &text));
            }
        }
    }
    match (tried - missed.len()) as f64 >= REJECTED * tried as f64 {
        true => Ok(()),
        false => {
            Err(Objection::new("weak_tests", format!("{} of {tried} near misses pass: {}", missed.len(), missed[0])))
        }
    }
}

/// Every file of the solution is needed.
fn partial(subject: &mut Subject<'_>, changes: &[Change]) -> Result<(), Objection> {
    for left_out in changes.iter().filter(|_| changes.len() > 1) {
        let rest = changes.iter().filter(|change| change.path != left_out.path);
        let files = rest.map(|change| file(&change.path, &change.after)).collect();
        let grade = subject.judge("partial solution", &Submission { answer: String::new(), files });
        if matches!(&grade, Grade::Scored(score) if score.reward > 0.0) {
            return Err(Objection::new("unnecessary_file", format!("`{}` need not be changed", left_out.path)));
        }
    }
    Ok(())
}

/// Mutants of the solution in the functions that it changes, which some call with literal arguments tells from it.
fn near_misses(subject: &Subject<'_>, fixed: &Tree, change: &Change) -> Result<Vec<String>, Objection> {
    let changed: BTreeSet<String> = functions(&change.path, &change.after)
        .into_iter()
        .filter(|span| !change.before.contains(&change.after[span.start..span.end]))
        .map(|span| span.qualified())
        .collect();
    let sites = languages::mutations(&change.path, &change.after);
    let own = sites.into_iter().filter(|site| changed.contains(&site.function));
    let texts: Vec<String> =
        own.map(|site| site.apply(&change.after)).filter(|text| *text != change.before).take(2 * MOST).collect();
    let tests = &subject.task.context.tests;
    let names: BTreeSet<&str> = changed.iter().map(|name| name.rsplit('.').next().unwrap_or(name)).collect();
    let found = tests.files.iter().filter_map(|path| fixed.text(path));
    let mut asked: Vec<String> =
        found.flat_map(|text| names.iter().flat_map(move |name| calls::in_tests(text, name))).collect();
    let others: Vec<String> = asked.iter().flat_map(|call| with_other_numbers(call)).collect();
    asked.extend(others);
    asked.truncate(200);
    let with_gold: Vec<String> = std::iter::once(change.after.clone()).chain(texts.iter().cloned()).collect();
    let question = Question {
        tests,
        tree: fixed,
        path: &change.path,
        texts: &with_gold,
        calls: &asked,
        call_seconds: None,
        place: None,
    };
    let values = calls::evaluate(subject.workshop, &question)
        .map_err(|cause| Objection::new("not_judged", format!("{cause:?}")))?;
    let Some(Some(right)) = values.first() else { return Ok(Vec::new()) };
    let differs = |values: &Option<Vec<String>>| values.as_ref().is_some_and(|values| values != right);
    let telling = texts.into_iter().zip(&values[1..]).filter(|(_, values)| differs(values));
    Ok(telling.map(|(text, _)| text).take(MOST).collect())
}

/// The call with each of its numbers one more and one less.
fn with_other_numbers(call: &str) -> Vec<String> {
    let mut found = Vec::new();
    let bytes = call.as_bytes();
    let mut at = call.find('(').unwrap_or(0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() || bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_' {
            at += 1;
            continue;
        }
        let end = at + call[at..].bytes().take_while(u8::is_ascii_digit).count();
        if let Ok(number) = call[at..end].parse::<i64>() {
            found.extend([number + 1, number - 1].map(|other| format!("{}{other}{}", &call[..at], &call[end..])));
        }
        at = end;
    }
    found
}

fn file(path: &str, text: &str) -> FileChange {
    FileChange { path: path.to_owned(), content: Some(text.to_owned()) }
}

fn first_difference(right: &str, wrong: &str) -> String {
    let lines = wrong.lines().zip(right.lines().chain(std::iter::repeat("")));
    lines
        .into_iter()
        .find(|(wrong, right)| wrong != right)
        .map_or(String::new(), |(wrong, _)| format!("`{}`", wrong.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_varied_number_by_number() {
        assert_eq!(
            with_other_numbers("f2(1, 'a3', 40)"),
            ["f2(2, 'a3', 40)", "f2(0, 'a3', 40)", "f2(1, 'a3', 41)", "f2(1, 'a3', 39)"]
        );
    }
}
