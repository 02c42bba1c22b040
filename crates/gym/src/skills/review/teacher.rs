//! How the teacher reviews: run the issue's call on the changed tree and judge by what it shows; or toss a coin.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::judgment::{Judgment, write};
use super::{Hidden, Teacher};
use crate::grade::Workshop;
use crate::issue::callee;
use crate::task::Task;
use crate::teach::{self, DILIGENT, LAZY, answer, bash, check, failed};

pub(super) fn teacher(
    workshop: &Workshop,
    task: &Task,
    hidden: Hidden,
    diligence: f64,
    mut rng: ChaCha8Rng,
) -> Result<Teacher, String> {
    let tree = workshop.blobs.tree(&task.context.tree).map_err(|error| error.to_string())?;
    let failing = teach::function(&tree, callee(&hidden.call))?;
    if !rng.random_bool(diligence) {
        let judgment = if rng.random_bool(0.5) { Judgment::Yes } else { Judgment::No };
        let text = format!("{LAZY} {}", write(&hidden.path, judgment));
        return Ok(Box::new(move |_| answer(text.clone())));
    }
    let find = teach::find_definition(&failing.name);
    let test = check(&failing.path, &[(hidden.call, hidden.expected)]);
    let path = hidden.path;
    let mut turn = 0;
    Ok(Box::new(move |observations| {
        turn += 1;
        match turn {
            1 => bash(DILIGENT, find.clone()),
            2 => bash("", test.clone()),
            _ => answer(write(&path, if failed(observations) { Judgment::No } else { Judgment::Yes })),
        }
    }))
}
