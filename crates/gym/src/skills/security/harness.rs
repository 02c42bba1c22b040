//! Hands the proof to both versions, several times, in fresh sandboxes and in shuffled order.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Hidden, PROOF};
use crate::episode::{InvalidCause, Submission};
use crate::grade::Workshop;
use crate::grade::verdict::{Table, Verdict, full, nothing};
use crate::task::Task;
use crate::tree::{Tree, TreeId};

const MAX_BYTES: usize = 32 << 10;
/// Runs of each version.
const REPEATS: usize = 3;

/// Imports the function, calls it and says how it ended. Only the class of what was raised is said, and of values only whether it is one of the two
/// with which guards refuse.
const CALL: &str = r#"
import importlib, json, os, sys
asked = json.load(sys.stdin)
sys.stdout = open(os.devnull, "w")
function = importlib.import_module(asked["module"])
for name in asked["function"].split("."):
    function = getattr(function, name)
try:
    value = function(*asked["args"], **asked["kwargs"])
    ended = "returned None" if value is None else "returned False" if value is False else "returned"
except BaseException as error:
    ended = type(error).__name__
os.write(3, json.dumps({"nonce": asked["nonce"], "ended": ended}).encode())
os._exit(0)
"#;

/// Arguments, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    #[serde(default)]
    args: Vec<serde_json::Value>,
    #[serde(default)]
    kwargs: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Line {
    nonce: String,
    ended: String,
}

pub(super) fn grade(workshop: &Workshop, task: &Task, hidden: &Hidden, submission: &Submission) -> Verdict {
    let file = submission.files.iter().find(|file| file.path == PROOF);
    let Some(text) = file.and_then(|file| file.content.as_deref()) else {
        return Ok(nothing("no_artifact", format!("no `{PROOF}`"), Table::new()));
    };
    if text.len() > MAX_BYTES {
        let detail = format!("`{PROOF}` has {} bytes, at most {MAX_BYTES} are allowed", text.len());
        return Ok(nothing("bad_format", detail, Table::new()));
    }
    let proof: Proof = match serde_json::from_str(text) {
        Ok(proof) => proof,
        Err(error) => return Ok(nothing("bad_format", format!("`{PROOF}`: {error}"), Table::new())),
    };
    let read = |id: &TreeId| workshop.blobs.tree(id).map_err(|error| InvalidCause::Task(error.to_string()));
    let (vulnerable, fixed) = (read(&hidden.vulnerable)?, read(&hidden.fixed)?);
    let mut runs: Vec<(bool, usize)> = (0..REPEATS).flat_map(|repeat| [(true, repeat), (false, repeat)]).collect();
    // The order is a function of the submission, which cannot contain its own hash.
    let seed = blake3::hash(format!("{}{text}", task.id).as_bytes());
    runs.shuffle(&mut ChaCha8Rng::from_seed(*seed.as_bytes()));
    let mut table = Table::new();
    for (is_guarded, repeat) in runs {
        let layers: Vec<&Tree> = if is_guarded { vec![&*vulnerable, &*fixed] } else { vec![&*vulnerable] };
        let (name, code) = match is_guarded {
            true => ("guarded", "accepted_by_both"),
            false => ("vulnerable", "not_exploited"),
        };
        let ended = call(workshop, task, hidden, &layers, &proof)?;
        table.push((format!("{name}#{repeat}"), ended.clone()));
        let is_refused = ended == hidden.signature;
        let is_right = if is_guarded { is_refused } else { ended.starts_with("returned") && !is_refused };
        if !is_right {
            let expected = if is_guarded { hidden.signature.as_str() } else { "a value that does not refuse" };
            return Ok(nothing(code, format!("{name}: ended with `{ended}`, expected {expected}"), table));
        }
    }
    Ok(full(table))
}

/// How the call ended on one version.
fn call(
    workshop: &Workshop,
    task: &Task,
    hidden: &Hidden,
    layers: &[&Tree],
    proof: &Proof,
) -> Result<String, InvalidCause> {
    let nonce = blake3::hash(format!("{:?} {}", std::time::SystemTime::now(), task.id).as_bytes()).to_hex().to_string();
    let asked = serde_json::json!({
        "module": hidden.module, "function": hidden.function, "args": proof.args, "kwargs": proof.kwargs, "nonce": nonce,
    });
    let output = workshop.run_python(&task.context.tests, layers, &["-c", CALL], asked.to_string().into_bytes())?;
    let line = serde_json::from_slice::<Line>(&output.report.bytes).ok().filter(|line| line.nonce == nonce);
    Ok(line.map_or_else(|| format!("{:?}", output.outcome), |line| line.ended))
}
