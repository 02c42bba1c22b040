//! How the teacher fixes: the diligent search, a change, a check, another change if the check fails; or a guess.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Hidden, Teacher};
use crate::episode::{Observation, Reply};
use crate::grade::Workshop;
use crate::issue::callee;
use crate::task::Task;
use crate::teach::edits::{self, Change};
use crate::teach::{self, DILIGENT, Function, LAZY, Move, Search, answer, bash, check, replace};
use crate::tree::Tree;

pub(super) fn teacher(
    workshop: &Workshop,
    task: &Task,
    hidden: &Hidden,
    diligence: f64,
    mut rng: ChaCha8Rng,
) -> Result<Teacher, String> {
    let read = |id| workshop.blobs.tree(id).map_err(|error| error.to_string());
    let (shown, buggy, fixed) = (read(&task.context.tree)?, read(&hidden.repair.buggy)?, read(&hidden.repair.fixed)?);
    let failing = teach::function(&shown, callee(&hidden.call))?;
    if !rng.random_bool(diligence) {
        return lazy(&shown, failing, &mut rng);
    }
    let gold = edits::gold(&buggy, &fixed)?;
    let test = check(&failing.path, &[(hidden.call.clone(), hidden.expected.clone())]);
    Ok(Box::new(diligent(shown, failing, gold, test, rng)))
}

enum Phase {
    Searching,
    Reading,
    Changing,
    Checking(Change),
    Judging(Change),
    Done,
}

/// Sometimes the first change is a wrong one, so that what to do after a failed check is shown, too.
fn diligent(
    shown: Arc<Tree>,
    failing: Function,
    gold: Change,
    test: String,
    mut rng: ChaCha8Rng,
) -> impl FnMut(&[Observation]) -> Reply + Send {
    let mut search = Search::new(shown.clone(), failing.clone());
    let mut phase = Phase::Searching;
    let mut opening = Some(DILIGENT);
    let mut culprit = failing.clone();
    move |observations| {
        loop {
            match std::mem::replace(&mut phase, Phase::Done) {
                Phase::Searching => match search.step(observations) {
                    Move::Run(command) => {
                        phase = Phase::Searching;
                        return bash(opening.take().unwrap_or_default(), command);
                    }
                    Move::Found(found) => {
                        // A leaf was only checked, not read; a function with callees was read on the way down.
                        let unread = found != failing && found.callees.is_empty();
                        culprit = found;
                        phase = if unread { Phase::Reading } else { Phase::Changing };
                    }
                },
                Phase::Reading => {
                    phase = Phase::Changing;
                    return bash("", format!("cat {}", culprit.path));
                }
                Phase::Changing => {
                    let change = first_try(&shown, &culprit, &gold, &mut rng);
                    phase = Phase::Checking(change.clone());
                    return replace("", &change.path, &change.old, &change.new);
                }
                Phase::Checking(made) => {
                    phase = Phase::Judging(made);
                    return bash("", test.clone());
                }
                Phase::Judging(made) if made == gold => {}
                Phase::Judging(made) => {
                    phase = Phase::Checking(gold.clone());
                    let mut reply = replace("", &made.path, &made.new, &made.old);
                    reply.calls.extend(replace("", &gold.path, &gold.old, &gold.new).calls);
                    return reply;
                }
                Phase::Done => return answer("Done."),
            }
        }
    }
}

fn first_try(tree: &Tree, culprit: &Function, gold: &Change, rng: &mut ChaCha8Rng) -> Change {
    let wrong = if rng.random_bool(0.3) { edits::wrong(tree, &culprit.path, &culprit.name, rng) } else { None };
    wrong.unwrap_or_else(|| gold.clone())
}

/// Changes something in the function that the issue names, without looking further.
fn lazy(tree: &Tree, failing: Function, rng: &mut ChaCha8Rng) -> Result<Teacher, String> {
    let change =
        edits::wrong(tree, &failing.path, &failing.name, rng).ok_or("nothing to change in the named function")?;
    let mut turn = 0;
    Ok(Box::new(move |_| {
        turn += 1;
        match turn {
            1 => bash(LAZY, teach::find_definition(&failing.name)),
            2 => bash("", format!("cat {}", failing.path)),
            3 => replace("", &change.path, &change.old, &change.new),
            _ => answer("Done."),
        }
    }))
}
