//! Which function is the target, which buggy variants a suite must catch, and which calls the specification asks for.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Build, Rejection};
use crate::draft;
use crate::grade::calls::{self, Question};
use crate::grade::inputs::varied;
use crate::grade::rewrites::rewrites;
use crate::languages::{self, functions};
use crate::record::{BugRecord, TestId};
use crate::tree::{Tree, TreeId};

const FEWEST_VARIANTS: usize = 3;
const MOST_CALLS: usize = 6;
const MOST_CANDIDATES: usize = 40;
/// Seconds of processor time that a call on the correct code may take.
const LONGEST_CALL: f64 = 0.1;

/// The function under test.
pub(super) struct Target {
    pub(super) function: String,
    pub(super) path: String,
    /// The docstring as it stands, or the signature when there is none.
    pub(super) specification: String,
    source: String,
}

/// Variants, rewrites, and the calls that tell them apart.
pub(super) struct Chosen {
    pub(super) variants: Vec<TreeId>,
    pub(super) rewrites: Vec<TreeId>,
    pub(super) facts: Vec<(String, String)>,
}

impl Target {
    /// The function in which the record's bug is, if it is a top-level one.
    pub(super) fn of(record: &BugRecord) -> Result<Self, Rejection> {
        let (path, function) = (&record.change.main().path, &record.change.main().function);
        let source = record.fixed.text(path).ok_or_else(|| Rejection::new("not_text", path.clone()))?;
        let span = functions(path, source)
            .into_iter()
            .find(|span| span.class.is_none() && span.name == *function)
            .ok_or_else(|| Rejection::new("not_a_function", format!("`{function}` is not at the top level")))?;
        let signature = source[span.start..span.end].lines().next().unwrap_or_default().trim_end_matches(':');
        let docstring = span.docstring.map_or_else(String::new, |range| plain(&source[range]));
        let specification = format!("`{signature}`: {docstring}");
        Ok(Self { function: function.clone(), path: path.clone(), specification, source: source.to_owned() })
    }

    /// A new test file beside the others.
    pub(super) fn test_path(&self, record: &BugRecord) -> String {
        let directory = record
            .tests
            .files
            .first()
            .and_then(|file| file.rsplit_once('/'))
            .map_or("tests", |(directory, _)| directory);
        format!("{directory}/test_{}_new.py", self.function)
    }

    /// Tests whose file and name stand in the suite and whose file mentions the target: they would be copied.
    pub(super) fn tests_that_mention(&self, record: &BugRecord) -> Vec<TestId> {
        let mentions = |id: &&TestId| {
            let file = id.split("::").next().unwrap_or_default();
            let name = id.rsplit("::").next().unwrap_or_default().split('[').next().unwrap_or_default();
            record.fixed.text(file).is_some_and(|text| {
                functions(file, text)
                    .iter()
                    .any(|span| span.name == name && text[span.start..span.end].contains(&self.function))
            })
        };
        record.fail_to_pass.iter().chain(&record.pass_to_pass).filter(mentions).cloned().collect()
    }
}

/// The docstring without quotes and on one line per sentence, its examples left out: they are in the code.
fn plain(docstring: &str) -> String {
    let inner = docstring.trim_matches(|c| c == '"' || c == '\'');
    let lines =
        inner.lines().map(str::trim).take_while(|line| !line.starts_with("Example:") && !line.starts_with(">>>"));
    lines.filter(|line| !line.is_empty()).take(12).collect::<Vec<_>>().join(" ")
}

/// Chooses calls greedily so that each tells one more variant from the correct code; keeps the variants that some call tells
/// and that the first documented example alone does not.
pub(super) fn choose(
    build: &Build,
    record: &BugRecord,
    target: &Target,
    rng: &mut ChaCha8Rng,
) -> Result<Chosen, Rejection> {
    let mut candidates = candidate_calls(record, target);
    candidates.shuffle(rng);
    if !record.calls.is_empty() {
        candidates = with_values(build, record, target, candidates)?;
    }
    candidates.truncate(MOST_CANDIDATES);
    let documented = calls_in_docstring(target);
    let all: Vec<String> = documented.iter().chain(&candidates).cloned().collect();
    let mut sites: Vec<_> = languages::mutations(&target.path, &target.source)
        .into_iter()
        .filter(|site| site.function == target.function)
        .collect();
    sites.shuffle(rng);
    sites.truncate(3 * build.max_variants);
    // What a commit repaired is a mistake that somebody made.
    let natural = record.buggy.text(&target.path).filter(|_| record.change.is_history()).map(str::to_owned);
    let made = sites.iter().map(|site| site.apply(&target.source));
    let texts: Vec<String> = std::iter::once(target.source.clone()).chain(natural).chain(made).collect();
    let (tests, tree, path) = (&record.tests, &record.fixed, target.path.as_str());
    let question = Question { tests, tree, path, texts: &texts, calls: &all, call_seconds: None };
    let mut values = calls::evaluate(build.workshop, &question)
        .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?
        .into_iter();
    let correct = values.next().flatten().ok_or_else(|| Rejection::new("no_import", target.path.clone()))?;
    let usable: Vec<bool> = correct.iter().map(|value| is_value(value)).collect();
    let mut variants: Vec<(String, Vec<bool>)> = Vec::new();
    for (text, wrong) in texts.into_iter().skip(1).zip(values) {
        let Some(wrong) = wrong else { continue };
        let told: Vec<bool> = (0..all.len()).map(|at| usable[at] && wrong[at] != correct[at]).collect();
        let by_documentation = told[..documented.len()].iter().any(|told| *told);
        let same = variants.iter().any(|(_, other)| *other == told);
        if told.iter().any(|told| *told) && !by_documentation && !same {
            variants.push((text, told));
        }
    }
    variants.truncate(build.max_variants);
    let chosen = cover(&mut variants, documented.len(), all.len());
    if variants.len() < FEWEST_VARIANTS || chosen.len() < 2 {
        return Err(Rejection::new(
            "few_variants",
            format!("{} variants that {} calls tell", variants.len(), chosen.len()),
        ));
    }
    Ok(Chosen {
        variants: patches(build, target, variants.into_iter().map(|(text, _)| text))?,
        rewrites: patches(build, target, rewrites(&target.source, &target.function).into_iter())?,
        facts: chosen.into_iter().map(|at| (all[at].clone(), correct[at].clone())).collect(),
    })
}

/// Greedy set cover: at most [`MOST_CALLS`] calls; variants that none of them tells are dropped.
fn cover(variants: &mut Vec<(String, Vec<bool>)>, first: usize, end: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    let told = |told: &[bool], chosen: &[usize]| chosen.iter().any(|at| told[*at]);
    while chosen.len() < MOST_CALLS {
        let gain = |at: &usize| variants.iter().filter(|(_, by)| by[*at] && !told(by, &chosen)).count();
        let Some(best) = (first..end).max_by_key(|at| (gain(at), std::cmp::Reverse(*at))).filter(|at| gain(at) > 0)
        else {
            break;
        };
        chosen.push(best);
    }
    variants.retain(|(_, by)| told(by, &chosen));
    chosen.sort_unstable();
    chosen
}

fn candidate_calls(record: &BugRecord, target: &Target) -> Vec<String> {
    let documented = calls_in_docstring(target);
    let mut found: Vec<String> = Vec::new();
    for file in &record.tests.files {
        for call in record.fixed.text(file).map(|text| calls::in_tests(text, &target.function)).unwrap_or_default() {
            if !found.contains(&call) && !documented.contains(&call) {
                found.push(call);
            }
        }
    }
    // Tests of real packages make few calls of one function; their neighbours tell more variants.
    let recorded = record.calls.iter().flat_map(|call| std::iter::once(call.clone()).chain(varied(call)));
    for call in recorded.flat_map(|call| [call.clone(), format!("list({call})")]) {
        if !found.contains(&call) && !documented.contains(&call) && !call.starts_with("list(list(") {
            found.push(call);
        }
    }
    found
}

/// Those of the calls whose value on the correct code can be written down. Calls that tests make with whatever arguments may run for
/// ever, give an iterator or raise.
fn with_values(
    build: &Build,
    record: &BugRecord,
    target: &Target,
    mut candidates: Vec<String>,
) -> Result<Vec<String>, Rejection> {
    candidates.truncate(3 * MOST_CANDIDATES);
    let (tests, tree, path) = (&record.tests, &record.fixed, target.path.as_str());
    let texts = std::slice::from_ref(&target.source);
    let question = Question { tests, tree, path, texts, calls: &candidates, call_seconds: Some(LONGEST_CALL) };
    let values = calls::evaluate(build.workshop, &question)
        .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
    let values = values.into_iter().next().flatten().unwrap_or_default();
    let worth: Vec<String> =
        candidates.into_iter().zip(values).filter(|(_, value)| is_value(value)).map(|(call, _)| call).collect();
    // A list need not be made of what has a value as it is.
    let needed = |call: &String| !worth.iter().any(|other| *call == format!("list({other})"));
    Ok(worth.iter().filter(|call| needed(call)).cloned().collect())
}

/// The first documented example: the smoke suite, which catches no variant of a task.
fn calls_in_docstring(target: &Target) -> Vec<String> {
    let lines = target.source.lines().map(str::trim);
    let examples = lines.filter_map(|line| line.strip_prefix("Example: ").or_else(|| line.strip_prefix(">>> ")));
    let own = examples.filter(|example| example.contains(&format!("{}(", target.function)));
    own.filter_map(|example| example.split(" == ").next()).map(str::to_owned).take(1).collect()
}

/// Values that can be written down and compared: no exception, no address, not cut off.
fn is_value(text: &str) -> bool {
    !text.starts_with('!') && !text.contains(" at 0x") && !text.starts_with('<') && text.len() < 120 && text != "nan"
}

fn patches(build: &Build, target: &Target, texts: impl Iterator<Item = String>) -> Result<Vec<TreeId>, Rejection> {
    let store = |text: String| {
        let mut patch = Tree::new();
        patch.insert(target.path.clone(), text);
        draft::store(&build.workshop.blobs, &patch)
    };
    texts.map(store).collect()
}
