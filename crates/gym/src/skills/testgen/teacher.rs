//! How the teacher writes tests: let the correct code say what each asked-for call gives; or write some from the head.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Hidden, Teacher};
use crate::draft::module_name;
use crate::task::Task;
use crate::teach::{DILIGENT, LAZY, answer, bash, replace};

pub(super) fn teacher(task: &Task, hidden: &Hidden, diligence: f64, mut rng: ChaCha8Rng) -> Result<Teacher, String> {
    let module = module_name(&hidden.path, &task.context.tests.import_roots);
    let path = hidden.test_path.clone();
    if rng.random_bool(diligence) {
        return Ok(diligent(recorded(&module, &path, &hidden.facts), format!("cat {path}")));
    }
    let text = from_the_head(&module, &hidden.facts, &mut rng);
    let mut turn = 0;
    Ok(Box::new(move |_| {
        turn += 1;
        if turn == 1 { replace(LAZY, &path, "", &text) } else { answer("Done.") }
    }))
}

fn diligent(write: String, show: String) -> Teacher {
    let mut turn = 0;
    Box::new(move |_| {
        turn += 1;
        match turn {
            1 => bash(DILIGENT, write.clone()),
            2 => bash("", show.clone()),
            _ => answer("Done."),
        }
    })
}

/// A command that writes one assertion per call, with the value that the code gives now.
fn recorded(module: &str, path: &str, facts: &[(String, String)]) -> String {
    let calls: Vec<&str> = facts.iter().map(|(call, _)| call.as_str()).collect();
    format!(
        "python3 - > {path} <<E\nfrom {module} import *\nprint('from {module} import *\\ndef test_new():')\nfor c in '''\n{}\n'''.split('\\n')[1:-1]: print('  assert', c, '==', repr(eval(c)))\nE",
        calls.join("\n")
    )
}

/// Only some of the calls, and values that are guessed more often than not.
fn from_the_head(module: &str, facts: &[(String, String)], rng: &mut ChaCha8Rng) -> String {
    let kept = rng.random_range(1..=facts.len());
    let asserts: Vec<String> = facts[..kept]
        .iter()
        .map(|(call, value)| {
            let guessed = if rng.random_bool(0.5) { value.clone() } else { rng.random_range(0..20).to_string() };
            format!("  assert {call} == {guessed}\n")
        })
        .collect();
    format!("from {module} import *\ndef test_new():\n{}", asserts.concat())
}
