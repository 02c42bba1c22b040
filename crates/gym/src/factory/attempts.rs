//! From repairs that agents tried to gated `review` tasks.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::steps::{Built, gated, keep};
use super::{Crew, Recipe, Yield};
use crate::episode::Submission;
use crate::parallel;
use crate::skills::review::{Review, tasks_from_attempts};
use crate::skills::{Build, Rejection};
use crate::task::Task;

/// Makes pairs of `review` from tasks of fixing and what was handed in for each. Every attempt is judged again.
pub fn review_attempts(
    crew: &Crew<'_>,
    tried: &[(Arc<Task>, Vec<Submission>)],
    recipe: &Recipe,
    judged: &(dyn Fn() + Sync),
) -> Yield {
    let work = |(task, attempts): &(Arc<Task>, Vec<Submission>)| {
        let built = pair(crew, recipe, task, attempts);
        judged();
        built
    };
    let mut made = Yield::default();
    for built in parallel::map(tried, crew.workers, crew.stop, &work) {
        keep(&Review, built, &mut made);
    }
    made.leave_out_telling();
    made
}

fn pair(crew: &Crew<'_>, recipe: &Recipe, task: &Task, attempts: &[Submission]) -> Built {
    if attempts.is_empty() {
        return Err(Rejection::new("not_tried", "the run has no attempt at it"));
    }
    let build = Build { workshop: crew.workshop, max_turns: recipe.max_turns, max_variants: recipe.max_variants };
    let seed = blake3::hash(format!("{} attempts {}", recipe.seed, task.id).as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*seed.as_bytes());
    Ok(gated(crew.workshop, recipe, tasks_from_attempts(&build, task, attempts, &mut rng)?))
}
