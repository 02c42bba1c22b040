//! Whether a record is about a guard that refuses input, and which input shows it.

use serde::Deserialize;

use super::{Build, Rejection};
use crate::grade::calls::{self, Question};
use crate::languages;
use crate::record::BugRecord;

/// The operator that takes guards away.
const OPERATOR: &str = "remove_guard";
/// Calls that are tried.
const MOST_CALLS: usize = 60;
/// Seconds of processor time of one call.
const LONGEST_CALL: f64 = 0.2;

/// The arguments of each call as JSON, or null.
const ARGUMENTS: &str = r#"
import json, os, sys
asked = json.load(sys.stdin)

def keep(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}

def written(call):
    try:
        return json.dumps(eval(call, {asked["function"]: keep}), allow_nan=False)
    except Exception:
        return None

os.write(3, json.dumps([written(call) for call in asked["calls"]]).encode())
"#;

/// A guard that is missing.
pub(super) struct Guard {
    /// The class of what it raises.
    pub(super) signature: String,
    /// Arguments that only it refuses, as JSON.
    pub(super) proof: String,
}

#[derive(Deserialize)]
struct Written(Vec<Option<String>>);

/// The guard of a record.
pub(super) fn find(build: &Build, record: &BugRecord) -> Result<Guard, Rejection> {
    let main = record.change.main();
    if main.by != OPERATOR || record.change.places.len() != 1 || main.function.contains('.') {
        return Err(Rejection::new("no_guard", "no guard of a function was taken away"));
    }
    let text = |tree: &crate::tree::Tree| tree.text(&main.path).unwrap_or_default().to_owned();
    let texts = [text(&record.fixed), text(&record.buggy)];
    let calls = candidates(record, &main.function);
    let question = Question {
        tests: &record.tests,
        tree: &record.fixed,
        path: &main.path,
        texts: &texts,
        calls: &calls,
        call_seconds: Some(LONGEST_CALL),
        place: None,
    };
    let broken = |cause| Rejection::new("infrastructure", format!("{cause:?}"));
    let values = calls::evaluate(build.workshop, &question).map_err(broken)?;
    let [Some(fixed), Some(buggy)] = values.as_slice() else {
        return Err(Rejection::new("no_import", main.path.clone()));
    };
    let refused = calls.iter().zip(fixed.iter().zip(buggy));
    let telling: Vec<(&String, &str)> = refused
        .filter(|(_, (_, buggy))| !buggy.starts_with('!'))
        .filter_map(|(call, (fixed, _))| {
            Some((call, fixed.strip_prefix('!').filter(|class| *class != "TimeoutError")?))
        })
        .collect();
    let asked = serde_json::json!({
        "function": main.function,
        "calls": telling.iter().map(|(call, _)| call).collect::<Vec<_>>(),
    });
    let output = build
        .workshop
        .run_python(&record.tests, &[&record.fixed], &["-c", ARGUMENTS], asked.to_string().into_bytes())
        .map_err(broken)?;
    let Written(written) = serde_json::from_slice(&output.report.bytes).unwrap_or(Written(Vec::new()));
    let found = written.into_iter().zip(telling).find_map(|(proof, (_, class))| Some((proof?, class.to_owned())));
    let (proof, signature) =
        found.ok_or_else(|| Rejection::new("no_proof", "no plain input is refused by the guard alone"))?;
    Ok(Guard { signature, proof })
}

/// Calls of the function, as tests make them and near them.
fn candidates(record: &BugRecord, function: &str) -> Vec<String> {
    let Some(authoring) = languages::of_runner(record.tests.runner).authoring() else { return Vec::new() };
    let texts = record.tests.files.iter().filter_map(|path| record.fixed.text(path));
    let mut found: Vec<String> = texts.flat_map(|text| authoring.calls(text, function)).collect();
    found.extend(record.calls.iter().cloned());
    found.extend(record.symptoms.iter().filter_map(|symptom| symptom.call.clone()));
    let near: Vec<String> = found.iter().flat_map(|call| authoring.varied(call)).collect();
    found.extend(near);
    found.retain(|call| call.starts_with(&format!("{function}(")));
    found.dedup();
    found.truncate(MOST_CALLS);
    found
}
