//! Which function is the target, which buggy variants a suite must catch, and which calls the specification asks for.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Build, Rejection};
use crate::draft;
use crate::grade::calls::{self, Question};
use crate::languages::{self, Authoring, functions};
use crate::record::{BugRecord, TestId};
use crate::tree::{Tree, TreeId};

const FEWEST_VARIANTS: usize = 3;
const MOST_CALLS: usize = 6;
const MOST_CANDIDATES: usize = 40;
/// Compiled versions that are evaluated before it is asked whether there are enough, and how many are.
const COMPILED: usize = 9;
const ENOUGH: usize = 6;
/// Seconds of processor time that a call on the correct code may take.
const LONGEST_CALL: f64 = 0.1;

/// The function under test.
pub(super) struct Target {
    pub(super) function: String,
    pub(super) path: String,
    /// The docstring as it stands, or the signature when there is none.
    pub(super) specification: String,
    /// Where the tests are handed in.
    pub(super) test_path: String,
    /// What a test file has to begin with to make the calls of the project's tests, where the language needs it.
    pub(super) names: String,
    pub(super) authoring: &'static dyn Authoring,
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
        let authoring = super::authoring(&record.tests).map_err(|reason| Rejection::new("language", reason))?;
        functions(path, source)
            .into_iter()
            .find(|span| span.class.is_none() && span.name == *function)
            .ok_or_else(|| Rejection::new("not_a_function", format!("`{function}` is not at the top level")))?;
        let (signature, documentation) = authoring.documentation(source, function);
        let specification = format!("`{signature}`: {documentation}");
        let beside = beside(record, authoring, function);
        let test_path = authoring.test_path(beside, function);
        let names = match authoring.has_own_places() {
            true => authoring.names(&record.fixed, &record.tests, beside, &test_path).ok_or_else(|| {
                Rejection::new("no_imports", format!("a new file cannot use the names of `{beside}`"))
            })?,
            false => String::new(),
        };
        let (function, path, source) = (function.clone(), path.clone(), source.to_owned());
        Ok(Self { function, path, specification, test_path, names, authoring, source })
    }

    /// Tests whose file and name stand in the suite and whose file mentions the target: they would be copied.
    pub(super) fn tests_that_mention(&self, record: &BugRecord) -> Vec<TestId> {
        let mentions = |id: &&TestId| {
            let (file, test) = id.split_once("::").unwrap_or_default();
            let text = record
                .fixed
                .text(file)
                .and_then(|text| self.authoring.test_text(text, &test.split("::").collect::<Vec<_>>()));
            text.is_some_and(|text| text.contains(&self.function))
        };
        record.fail_to_pass.iter().chain(&record.pass_to_pass).filter(mentions).cloned().collect()
    }
}

/// The test file of the project that new tests stand beside: where files have names of their own, the one with most calls of the function.
fn beside<'a>(record: &'a BugRecord, authoring: &dyn Authoring, function: &str) -> &'a str {
    let files = || record.tests.files.iter().map(String::as_str);
    let calls = |path: &&str| record.fixed.text(path).map_or(0, |text| authoring.calls(text, function).len());
    let best = files().rev().max_by_key(calls).filter(|_| authoring.has_own_places());
    best.or_else(|| files().next()).unwrap_or_default()
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
    if !record.calls.is_empty() && !target.authoring.has_own_places() {
        candidates = with_values(build, record, target, candidates)?;
    }
    candidates.truncate(MOST_CANDIDATES);
    let documented = documented(target);
    let all: Vec<String> = documented.iter().chain(&candidates).cloned().collect();
    if all.is_empty() {
        return Err(Rejection::new("few_variants", "no test makes a call of it that can be written down"));
    }
    let mut sites: Vec<_> = languages::mutations(&target.path, &target.source)
        .into_iter()
        .filter(|site| site.function == target.function)
        .collect();
    sites.shuffle(rng);
    sites.truncate(3 * build.max_variants);
    // What a commit repaired is a mistake that somebody made.
    let natural = record.buggy.text(&target.path).filter(|_| record.change.is_history()).map(str::to_owned);
    // Those of a model and those of operators in turns, so that a suite depends on neither alone.
    let mut made: Vec<_> = record.words.mistakes.iter().enumerate().chain(sites.iter().enumerate()).collect();
    made.sort_by_key(|(at, _)| *at);
    let made = made.into_iter().map(|(_, site)| site.apply(&target.source));
    let texts: Vec<String> = std::iter::once(target.source.clone()).chain(natural).chain(made).collect();
    let (tests, tree, path) = (&record.tests, &record.fixed, target.path.as_str());
    let text = target.authoring.place(&target.names);
    let place = target.authoring.has_own_places().then_some((target.test_path.as_str(), text.as_str()));
    let values = |texts: &[String]| {
        let question = Question { tests, tree, path, texts, calls: &all, call_seconds: None, place };
        calls::evaluate(build.workshop, &question)
            .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))
    };
    // A version that has to be compiled costs seconds, and a handful is enough; others are evaluated in one process.
    let (few, enough) = if target.authoring.is_compiled() { (COMPILED, ENOUGH) } else { (texts.len(), usize::MAX) };
    let mut chunks = texts.chunks(few);
    let first = chunks.next().unwrap_or_default();
    let mut seen = values(first)?;
    let correct = seen.remove(0).ok_or_else(|| Rejection::new("no_import", target.path.clone()))?;
    let usable: Vec<bool> = correct.iter().map(|value| is_value(target, value)).collect();
    let mut variants: Vec<(String, Vec<bool>)> = Vec::new();
    let mut take = |texts: &[String], values: Vec<Option<Vec<String>>>| {
        for (text, wrong) in texts.iter().zip(values) {
            let Some(wrong) = wrong else { continue };
            let told: Vec<bool> = (0..all.len()).map(|at| usable[at] && wrong[at] != correct[at]).collect();
            let by_documentation = told[..documented.len()].iter().any(|told| *told);
            let same = variants.iter().any(|(_, other)| *other == told);
            if told.iter().any(|told| *told) && !by_documentation && !same {
                variants.push((text.clone(), told));
            }
        }
        variants.len()
    };
    let mut found = take(&first[1..], seen);
    for chunk in chunks {
        if found >= enough {
            break;
        }
        found = take(chunk, values(chunk)?);
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
        rewrites: patches(build, target, target.authoring.rewrites(&target.source, &target.function).into_iter())?,
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
    let documented = documented(target);
    let mut found: Vec<String> = Vec::new();
    for file in &record.tests.files {
        let text = record.fixed.text(file);
        for call in text.map(|text| target.authoring.calls(text, &target.function)).unwrap_or_default() {
            if !found.contains(&call) && !documented.contains(&call) {
                found.push(call);
            }
        }
    }
    // Tests of real packages make few calls of one function; their neighbours tell more variants.
    let authoring = target.authoring;
    let sources: Vec<String> = if authoring.has_own_places() { found.clone() } else { record.calls.clone() };
    let recorded = sources.iter().flat_map(|call| std::iter::once(call.clone()).chain(authoring.varied(call)));
    let recorded: Vec<String> = recorded.chain(authoring.crossed(&sources)).collect();
    // What is an iterator in Python shows its values as a list.
    let listed = |call: String| [Some(call.clone()), (!authoring.has_own_places()).then(|| format!("list({call})"))];
    for call in recorded.into_iter().flat_map(listed).flatten() {
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
    let question =
        Question { tests, tree, path, texts, calls: &candidates, call_seconds: Some(LONGEST_CALL), place: None };
    let values = calls::evaluate(build.workshop, &question)
        .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
    let values = values.into_iter().next().flatten().unwrap_or_default();
    let worth: Vec<String> =
        candidates.into_iter().zip(values).filter(|(_, value)| is_value(target, value)).map(|(call, _)| call).collect();
    // A list need not be made of what has a value as it is.
    let needed = |call: &String| !worth.iter().any(|other| *call == format!("list({other})"));
    Ok(worth.iter().filter(|call| needed(call)).cloned().collect())
}

/// The first documented example: the smoke suite, which catches no variant of a task.
fn documented(target: &Target) -> Vec<String> {
    target.authoring.documented_call(&target.source, &target.function).into_iter().collect()
}

/// Values that can be written down and compared: no exception, not cut off.
fn is_value(target: &Target, text: &str) -> bool {
    !text.starts_with('!') && text.len() < 120 && target.authoring.is_value(text)
}

fn patches(build: &Build, target: &Target, texts: impl Iterator<Item = String>) -> Result<Vec<TreeId>, Rejection> {
    let store = |text: String| {
        let mut patch = Tree::new();
        patch.insert(target.path.clone(), text);
        draft::store(&build.workshop.blobs, &patch)
    };
    texts.map(store).collect()
}
