//! Whether a text keeps the facts, tells nothing of the repair, and shows what it says.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::draft::module_name;
use crate::grade::Workshop;
use crate::issue::{Issue, callee};
use crate::languages::Call;
use crate::record::BugRecord;

/// Bytes of a text.
const LONGEST: usize = 2000;
/// So many words of the repair in a row are not there by chance.
const TELLING_WORDS: usize = 6;
/// Words that say how the bug was made.
const MADE: [&str; 4] = ["mutation", "mutant", "injected", "operator was"];
/// Processor time of the call.
const CALL: Duration = Duration::from_secs(5);

/// A report, against the one of the template.
pub(super) fn issue(text: &str, known: &Issue, record: &BugRecord) -> Result<(), String> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(format!("it has {} bytes, expected 1 to {LONGEST}", text.len()));
    }
    for fact in [&known.call, &known.expected, &known.set_up] {
        if !text.contains(fact.as_str()) {
            return Err(format!("`{fact}` is missing"));
        }
    }
    if let Some(name) =
        names(record).into_iter().find(|name| text.contains(name.as_str()) && !known.text.contains(name.as_str()))
    {
        return Err(format!("it names `{name}`"));
    }
    if let Some(word) = MADE.iter().find(|word| text.to_lowercase().contains(**word) && !known.text.contains(**word)) {
        return Err(format!("it says `{word}`"));
    }
    if let Some(line) = repair(record).into_iter().find(|part| words(text).join(" ").contains(part.as_str())) {
        return Err(format!("it has `{line}` of the repair"));
    }
    match snippets(text).into_iter().find(|code| code.contains('(') && !known.text.contains(code)) {
        Some(code) => Err(format!("it shows other code: `{code}`")),
        None => Ok(()),
    }
}

/// An instruction, against the one of the template: it says no less.
pub(super) fn instruction(text: &str, known: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(format!("it has {} bytes, expected 1 to {LONGEST}", text.len()));
    }
    let missing = snippets(known).into_iter().find(|code| !text.contains(&format!("`{code}`")));
    let further = snippets(text).into_iter().find(|code| !known.contains(code));
    match (missing, further) {
        (Some(code), _) => Err(format!("`{code}` is missing")),
        (_, Some(code)) => Err(format!("it has other code: `{code}`")),
        (None, None) => Ok(()),
    }
}

/// Whether the call gives on the healthy tree what is expected, and on the buggy one something else.
///
/// # Errors
/// Failures of the infrastructure.
pub(super) fn shows(workshop: &Workshop, issue: &Issue, record: &BugRecord) -> Result<Result<(), String>, String> {
    let symptom = record.symptoms.iter().find(|symptom| symptom.call.as_deref() == Some(&issue.call));
    let Some(path) = symptom.and_then(|symptom| symptom.test.split("::").next()) else {
        return Ok(Err(format!("no test makes the call `{}`", issue.call)));
    };
    let call = [Call { path: path.to_owned(), source: issue.call.clone() }];
    let on = |tree| {
        let seen =
            workshop.evaluate(&record.tests, &[tree], &call, CALL).map_err(|cause| cause.message().to_owned())?;
        Ok::<_, String>(seen.into_iter().next().unwrap_or_default())
    };
    let (buggy, fixed) = (on(&record.buggy)?, on(&record.fixed)?);
    if fixed.value.as_ref() != Some(&issue.expected) {
        return Ok(Err(format!("`{}` does not give `{}` on the healthy tree", issue.call, issue.expected)));
    }
    Ok(match buggy == fixed {
        true => Err(format!("`{}` gives the same on the buggy tree", issue.call)),
        false => Ok(()),
    })
}

/// What would say where the bug is or which test finds it.
fn names(record: &BugRecord) -> Vec<String> {
    let mut names = Vec::new();
    for place in &record.change.places {
        let file = place.path.rsplit('/').next().unwrap_or(&place.path);
        let module = module_name(&place.path, &record.tests.import_roots);
        names.extend([place.path.clone(), file.to_owned()]);
        names.extend(module.contains('.').then_some(module));
        let function = place.function.rsplit('.').next().unwrap_or_default();
        let is_called =
            record.symptoms.iter().any(|it| it.call.as_deref().is_some_and(|call| callee(call) == function));
        names.extend((function.len() > 3 && !is_called).then(|| function.to_owned()));
        names.push(place.by.clone());
    }
    names.extend(
        record.fail_to_pass.iter().filter_map(|id| id.rsplit("::").next()?.split('[').next().map(str::to_owned)),
    );
    names.retain(|name| !name.is_empty());
    names
}

/// Runs of words that only the repaired code has.
fn repair(record: &BugRecord) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for path in record.change.paths() {
        let (fixed, buggy) =
            (record.fixed.text(&path).unwrap_or_default(), record.buggy.text(&path).unwrap_or_default());
        let added = fixed.lines().map(str::trim).filter(|line| !buggy.lines().any(|other| other.trim() == *line));
        for line in added {
            parts.extend(words(line).windows(TELLING_WORDS).map(|run| run.join(" ")));
        }
    }
    parts
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// Blocks of code.
pub(super) fn blocks(text: &str) -> Vec<&str> {
    text.split("```").skip(1).step_by(2).filter_map(|part| Some(part.split_once('\n')?.1)).collect()
}

/// What stands in backticks, one or three.
fn snippets(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = blocks(text).into_iter().map(str::trim).collect();
    for part in text.split("```").step_by(2) {
        found.extend(part.split('`').skip(1).step_by(2));
    }
    found.retain(|code| !code.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_keeps_what_stands_in_backticks() {
        let known = "In `f`, replace `<` by `<=` in the line `if a < b:`.";
        assert_eq!(instruction("Please use `<=` for `<` where `f` says `if a < b:`.", known), Ok(()));
        assert!(instruction("Please use `<=` where `f` says `if a < b:`.", known).is_err());
        assert!(instruction("In `f`, `if a < b:` needs `<=` for `<`; see `g`.", known).is_err());
    }

    #[test]
    fn code_is_what_stands_in_backticks() {
        assert_eq!(snippets("a `f(1)` b\n```python\nx = 1\nf(x)\n```\nand `2`"), ["x = 1\nf(x)", "f(1)", "2"]);
    }
}
