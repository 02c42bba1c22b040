//! How the teacher reproduces: find the module, write the check, run it; or write something without looking.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Hidden, Teacher};
use crate::draft::module_name;
use crate::grade::Workshop;
use crate::issue::callee;
use crate::task::Task;
use crate::teach::{self, DILIGENT, LAZY, answer, bash, replace};

/// Where scripts of generated packages are handed in.
const SCRIPT: &str = "repro.py";

pub(super) fn teacher(
    workshop: &Workshop,
    task: &Task,
    hidden: &Hidden,
    diligence: f64,
    mut rng: ChaCha8Rng,
) -> Result<Teacher, String> {
    let tree = workshop.blobs.tree(&task.context.tree).map_err(|error| error.to_string())?;
    let failing = teach::function(&tree, callee(&hidden.call))?;
    if rng.random_bool(diligence) {
        let script = script(&failing.path, &hidden.call, &hidden.expected);
        return Ok(diligent(teach::find_definition(&failing.name), script));
    }
    let guessed = teach::pick(&teach::modules(&tree), &mut rng).cloned().unwrap_or(failing.path);
    let text = match rng.random_range(0..4) {
        0 => "raise SystemExit(1)\n".to_owned(),
        1 => script(&guessed, &hidden.call, "None"),
        _ => script(&guessed, &hidden.call, &hidden.expected),
    };
    Ok(lazy(text))
}

fn script(path: &str, call: &str, expected: &str) -> String {
    format!("from {} import *\nraise SystemExit({call} != {expected})\n", module_name(path, &[]))
}

fn diligent(find: String, script: String) -> Teacher {
    let mut turn = 0;
    Box::new(move |_| {
        turn += 1;
        match turn {
            1 => bash(DILIGENT, find.clone()),
            2 => replace("", SCRIPT, "", &script),
            3 => bash("", format!("python3 {SCRIPT}")),
            _ => answer("Done."),
        }
    })
}

fn lazy(script: String) -> Teacher {
    let mut turn = 0;
    Box::new(move |_| {
        turn += 1;
        if turn == 1 { replace(LAZY, SCRIPT, "", &script) } else { answer("Done.") }
    })
}
