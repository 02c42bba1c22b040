//! How the teacher localizes: a diligent search down the call chain, or a guess.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Hidden, Teacher};
use crate::grade::Workshop;
use crate::issue::callee;
use crate::task::Task;
use crate::teach::{self, DILIGENT, Function, LAZY, Move, Search, answer, bash};
use crate::tree::Tree;

pub(super) fn teacher(
    workshop: &Workshop,
    task: &Task,
    hidden: &Hidden,
    diligence: f64,
    mut rng: ChaCha8Rng,
) -> Result<Teacher, String> {
    let tree = workshop.blobs.tree(&task.context.tree).map_err(|error| error.to_string())?;
    let failing = teach::function(&tree, callee(&hidden.call))?;
    Ok(if rng.random_bool(diligence) { diligent(tree, failing) } else { lazy(&tree, failing, &mut rng) })
}

fn diligent(tree: Arc<Tree>, failing: Function) -> Teacher {
    let mut search = Search::new(tree, failing);
    let mut opening = Some(DILIGENT);
    Box::new(move |observations| match search.step(observations) {
        Move::Run(command) => bash(opening.take().unwrap_or_default(), command),
        Move::Found(culprit) => answer(culprit.path),
    })
}

/// Takes the file of the named function, or any file.
fn lazy(tree: &Tree, failing: Function, rng: &mut ChaCha8Rng) -> Teacher {
    let guess = teach::pick(&teach::modules(tree), rng).cloned().unwrap_or_default();
    let looks = rng.random_bool(0.5);
    let mut turn = 0;
    Box::new(move |_| {
        turn += 1;
        match (turn, looks) {
            (1, true) => bash(LAZY, teach::find_definition(&failing.name)),
            (1, false) => bash(LAZY, "ls */*.py"),
            (_, true) => answer(failing.path.clone()),
            (_, false) => answer(guess.clone()),
        }
    })
}
