//! How the teacher edits: the change and a check of the contract's example, or a careless change.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Hidden, Teacher};
use crate::grade::Workshop;
use crate::teach::edits::{Change, careless, gold};
use crate::teach::{DILIGENT, LAZY, answer, bash, check, replace};

pub(super) fn teacher(
    workshop: &Workshop,
    hidden: &Hidden,
    diligence: f64,
    mut rng: ChaCha8Rng,
) -> Result<Teacher, String> {
    let read = |id| workshop.blobs.tree(id).map_err(|error| error.to_string());
    let (buggy, fixed) = (read(&hidden.repair.buggy)?, read(&hidden.repair.fixed)?);
    let gold = gold(&buggy, &fixed)?;
    if rng.random_bool(diligence) {
        let defining = crate::teach::function(&buggy, crate::issue::callee(&hidden.call))?;
        let fact = (hidden.call.clone(), hidden.expected.clone());
        return Ok(diligent(gold, check(&defining.path, &[fact])));
    }
    let careless = careless(&gold, &mut rng);
    Ok(lazy(careless))
}

fn diligent(change: Change, check: String) -> Teacher {
    let mut turn = 0;
    Box::new(move |_| {
        turn += 1;
        match turn {
            1 => replace(DILIGENT, &change.path, &change.old, &change.new),
            2 => bash("", check.clone()),
            _ => answer("Done."),
        }
    })
}

fn lazy(change: Change) -> Teacher {
    let mut turn = 0;
    Box::new(move |_| {
        turn += 1;
        if turn == 1 { replace(LAZY, &change.path, &change.old, &change.new) } else { answer("Done.") }
    })
}
