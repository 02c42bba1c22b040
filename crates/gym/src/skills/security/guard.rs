//! Guards that refuse input, and input that shows that one is missing.
//!
//! Every guard of the function that the record is about is taken away, or if it has none, of the others in its file. Nothing depends on whether tests
//! notice that: what decides is a call that the guarded version refuses and the other one takes.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Build, Rejection};
use crate::grade::calls::{self, Question, in_tests};
use crate::languages;
use crate::languages::python::authoring::inputs;
use crate::languages::python::guards::{callee, refusal};
use crate::record::{BugRecord, Mutation};
use crate::tree::Tree;

/// The operator that takes guards away.
const OPERATOR: &str = "remove_guard";
/// Calls that are tried, and guards of one function.
const MOST_CALLS: usize = 160;
const MOST_GUARDS: usize = 6;
/// Functions that are tried.
const MOST_FUNCTIONS: usize = 6;
/// Seconds of processor time of one call.
const LONGEST_CALL: f64 = 0.2;

/// The arguments of each call as JSON, or null.
const ARGUMENTS: &str = r#"
import json, os, sys, types
asked = json.load(sys.stdin)

def keep(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}

name, _, method = asked["callee"].partition(".")
names = {name: types.SimpleNamespace(**{method: keep}) if method else keep}

def written(call):
    try:
        return json.dumps(eval(call, dict(names)), allow_nan=False)
    except Exception:
        return None

os.write(3, json.dumps([written(call) for call in asked["calls"]]).encode())
"#;

/// A guard that is missing.
pub(super) struct Guard {
    /// The file without it.
    pub(super) vulnerable: String,
    /// The function, `name` or `Class.name`, and what is called to run it.
    pub(super) function: String,
    pub(super) callee: String,
    /// How the guarded version ends: the class of what it raises, or `returned None`.
    pub(super) signature: String,
    /// Arguments that only it refuses, as JSON.
    pub(super) proof: String,
}

#[derive(Deserialize)]
struct Written(Vec<Option<String>>);

/// The first guard without which some plain input is taken.
pub(super) fn find(build: &Build, record: &BugRecord, rng: &mut ChaCha8Rng) -> Result<Guard, Rejection> {
    let main = record.change.main();
    let source = record.fixed.text(&main.path).unwrap_or_default();
    let mut guards: BTreeMap<String, Vec<Mutation>> = BTreeMap::new();
    for site in languages::mutations(&main.path, source) {
        if site.operator == OPERATOR && refusal(&site.before).is_some() && callee(source, &site.function).is_some() {
            guards.entry(site.function.clone()).or_default().push(site);
        }
    }
    let mut functions: Vec<(String, Vec<Mutation>)> = guards.into_iter().collect();
    functions.shuffle(rng);
    // Records of one file would all lead to the same functions.
    if functions.iter().any(|(function, _)| *function == main.function) {
        functions.retain(|(function, _)| *function == main.function);
    }
    if functions.is_empty() {
        return Err(Rejection::new("no_guard", format!("no function of `{}` refuses input", main.path)));
    }
    let mut tried = Vec::new();
    for (function, mut sites) in functions.into_iter().take(MOST_FUNCTIONS) {
        sites.shuffle(rng);
        sites.truncate(MOST_GUARDS);
        let callee = callee(source, &function).unwrap_or_default();
        match prove(build, record, (source, &callee), &sites)? {
            Some((at, signature, proof)) => {
                let vulnerable = sites[at].apply(source);
                return Ok(Guard { vulnerable, function, callee, signature, proof });
            }
            None => tried.push(function),
        }
    }
    Err(Rejection::new("no_proof", format!("no plain input is refused by one guard alone: {}", tried.join(", "))))
}

/// Which of the guards is missed by a call, how it refuses, and the arguments.
fn prove(
    build: &Build,
    record: &BugRecord,
    (source, callee): (&str, &str),
    sites: &[Mutation],
) -> Result<Option<(usize, String, String)>, Rejection> {
    let calls = candidates(record, callee);
    if calls.is_empty() {
        return Ok(None);
    }
    let texts: Vec<String> =
        std::iter::once(source.to_owned()).chain(sites.iter().map(|site| site.apply(source))).collect();
    let question = Question {
        tests: &record.tests,
        tree: &record.fixed,
        path: &record.change.main().path,
        texts: &texts,
        calls: &calls,
        call_seconds: Some(LONGEST_CALL),
        place: None,
    };
    let broken = |cause| Rejection::new("infrastructure", format!("{cause:?}"));
    let values = calls::evaluate(build.workshop, &question).map_err(broken)?;
    let Some((Some(guarded), without)) = values.split_first() else { return Ok(None) };
    let mut telling: Vec<(usize, String, &String)> = Vec::new();
    for (at, taken) in without.iter().enumerate() {
        let (Some(taken), Some(own)) = (taken, refusal(&sites[at].before)) else { continue };
        for (call, (refused, taken)) in calls.iter().zip(guarded.iter().zip(taken)) {
            telling.extend(refused_by(&own, refused, taken).map(|signature| (at, signature, call)));
        }
    }
    // What raises says more clearly that it refuses.
    telling.sort_by_key(|(_, signature, call)| (signature.starts_with("returned"), call.len()));
    telling.truncate(MOST_CALLS);
    let asked = serde_json::json!({
        "callee": callee,
        "calls": telling.iter().map(|(_, _, call)| call).collect::<Vec<_>>(),
    });
    let output = build
        .workshop
        .run_python(&record.tests, &[&record.fixed], &["-c", ARGUMENTS], asked.to_string().into_bytes())
        .map_err(broken)?;
    let Written(written) = serde_json::from_slice(&output.report.bytes).unwrap_or(Written(Vec::new()));
    Ok(written.into_iter().zip(telling).find_map(|(proof, (at, signature, _))| Some((at, signature, proof?))))
}

/// How a value of the guarded version refuses as its guard does, if the other version takes the same call. What the condition of the guard itself
/// raises is no refusal.
fn refused_by(guard: &str, refused: &str, taken: &str) -> Option<String> {
    if taken.starts_with('!') || taken == refused {
        return None;
    }
    let signature = match refused.strip_prefix('!') {
        Some("TimeoutError" | "MemoryError" | "NameError") => return None,
        Some(class) => class.to_owned(),
        None => format!("returned {refused}"),
    };
    let is_unnamed = guard.is_empty() && refused.starts_with('!');
    (signature == guard || is_unnamed).then_some(signature)
}

/// Calls, as tests make them, near them, and such as nobody should make.
fn candidates(record: &BugRecord, callee: &str) -> Vec<String> {
    let (class, name) = callee.rsplit_once('.').map_or(("", callee), |(class, name)| (class, name));
    let whole = |call: String| if class.is_empty() { call } else { format!("{class}.{call}") };
    let texts = record.tests.files.iter().filter_map(|path| record.fixed.text(path));
    let mut found: Vec<String> = texts.flat_map(|text| in_tests(text, name)).map(whole).collect();
    found.extend(record.calls.iter().cloned());
    found.extend(record.symptoms.iter().filter_map(|symptom| symptom.call.clone()));
    let own = format!("{callee}(");
    found.retain(|call| call.starts_with(&own) && call.ends_with(')'));
    let near: Vec<String> = found.iter().take(20).flat_map(|call| inputs::varied(call)).collect();
    let hostile: Vec<String> = found.iter().take(2).flat_map(|call| inputs::hostile(call)).collect();
    found.truncate(MOST_CALLS / 2);
    found.extend(hostile);
    found.extend(near);
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|call| seen.insert(call.clone()));
    found.truncate(MOST_CALLS);
    found
}

/// The project without the guard.
pub(super) fn vulnerable(record: &BugRecord, guard: &Guard) -> Tree {
    let mut tree = record.fixed.clone();
    tree.insert(record.change.main().path.clone(), guard.vulnerable.as_str());
    tree
}
