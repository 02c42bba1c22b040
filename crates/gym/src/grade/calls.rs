//! Calls with literal arguments: evaluated in fresh sandboxes.

use std::time::Duration;

use super::workshop::Workshop;
use crate::episode::InvalidCause;
pub use crate::languages::python::authoring::calls::in_tests;
use crate::languages::{self, Call, Observation};
use crate::project::TestSetup;
use crate::tree::Tree;

const EVALUATE: &str = r#"
import json, os, signal, sys, types
asked = json.load(sys.stdin)

def expire(*_):
    raise TimeoutError

# Processor time, where it is asked for, does not depend on what else the machine does.
timer, expiry = (signal.ITIMER_PROF, signal.SIGPROF) if asked["processor"] else (signal.ITIMER_REAL, signal.SIGALRM)
signal.signal(expiry, expire)

def values(text):
    signal.setitimer(timer, asked["seconds"])
    module = types.ModuleType(asked["module"])
    module.__package__ = asked["module"].rpartition(".")[0]
    try:
        exec(compile(text, asked["path"], "exec"), vars(module))
        return [value(call, vars(module)) for call in asked["calls"]]
    except BaseException:
        return None
    finally:
        signal.setitimer(timer, 0)

def value(call, names):
    if asked["call_seconds"]:
        signal.setitimer(timer, asked["call_seconds"])
    try:
        return repr(eval(call, dict(names)))[:300]
    except Exception as error:
        if isinstance(error, TimeoutError) and not asked["call_seconds"]:
            raise
        return "!" + type(error).__name__

sys.stdout = open(os.devnull, "w")
answer = json.dumps([values(text) for text in asked["texts"]]).encode()
while answer:
    answer = answer[os.write(3, answer):]
"#;

/// What is said of a call that showed nothing.
const UNSEEN: &str = "!";
/// Processor time of one call that is evaluated alone.
const IN_PLACE: Duration = Duration::from_secs(2);

/// Which calls to evaluate, and in what.
pub struct Question<'a> {
    /// How the project is run.
    pub tests: &'a TestSetup,
    /// The project.
    pub tree: &'a Tree,
    /// The file that is replaced by each of `texts`.
    pub path: &'a str,
    /// Contents of the file to evaluate the calls in, each on its own.
    pub texts: &'a [String],
    /// The calls.
    pub calls: &'a [String],
    /// Seconds that each call may take, after which it counts as having raised `TimeoutError`. Else all share those of their text.
    pub call_seconds: Option<f64>,
    /// A test file with the names that calls use, path and text, for languages whose calls are evaluated in one.
    pub place: Option<(&'a str, &'a str)>,
}

/// What each call gives with each text, as `repr`, or `!Class` when it raises; `None` for a text that does not import or that
/// takes longer than half a second, for real packages a second of processor time.
///
/// For building tasks from code of the project itself; what graded code says here decides no reward. All texts share one
/// sandbox and one process, because most of the time is that of starting them.
///
/// # Errors
/// Only failures of infrastructure.
pub fn evaluate(workshop: &Workshop, question: &Question) -> Result<Vec<Option<Vec<String>>>, InvalidCause> {
    let Question { tests, tree, path, texts, calls, call_seconds, place } = question;
    if languages::of_runner(tests.runner).name() != "python" {
        return match place {
            Some(place) => texts.iter().map(|text| in_place(workshop, question, *place, text)).collect(),
            None => Ok(vec![None; texts.len()]),
        };
    }
    let module = crate::draft::module_name(path, &tests.import_roots);
    let is_real = tests.runner.is_real();
    let seconds = if is_real { 1.0 } else { 0.5 };
    let asked = serde_json::json!({
        "module": module, "path": path, "texts": texts, "calls": calls, "processor": is_real, "seconds": seconds,
        "call_seconds": call_seconds
    })
    .to_string();
    let output = workshop.run_python(tests, &[tree], &["-c", EVALUATE], asked.into_bytes())?;
    let nothing = || vec![None; texts.len()];
    let values: Vec<Option<Vec<String>>> = serde_json::from_slice(&output.report.bytes).unwrap_or_else(|_| nothing());
    let is_whole = values.len() == texts.len() && values.iter().flatten().all(|values| values.len() == calls.len());
    Ok(if is_whole { values } else { nothing() })
}

/// What each call gives with one text, in a sandbox of its own.
fn in_place(
    workshop: &Workshop,
    question: &Question,
    (place, names): (&str, &str),
    text: &str,
) -> Result<Option<Vec<String>>, InvalidCause> {
    let mut patch = Tree::new();
    patch.insert(question.path, text);
    patch.insert(place, names);
    let asked = question.calls.iter().map(|source| Call { path: place.to_owned(), source: source.clone() });
    let asked: Vec<Call> = asked.collect();
    let seen = workshop.evaluate(question.tests, &[question.tree, &patch], &asked, IN_PLACE)?;
    let shown = |seen: &Observation| match (&seen.value, &seen.exception) {
        (Some(value), _) => value.clone(),
        (None, Some(exception)) => format!("!{exception}"),
        (None, None) => UNSEEN.to_owned(),
    };
    let values: Vec<String> = seen.iter().map(shown).collect();
    Ok(values.iter().any(|value| value != UNSEEN).then_some(values))
}
