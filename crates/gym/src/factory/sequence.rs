//! One thing after the other, every choice from one stream of random numbers.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::steps::{Bench, build, chosen, keep, sites};
use super::{Recipe, Yield};
use crate::grade::Workshop;
use crate::project::Project;
use crate::skills::Rejection;
use crate::validate::{batches, try_all};

/// Makes tasks from one project. Once `stop` is set no further mutation is tried.
///
/// # Errors
/// When the project itself cannot be used: no tests, none that pass, no environment.
pub fn make(workshop: &Workshop, project: &Project, recipe: &Recipe, stop: &AtomicBool) -> Result<Yield, Rejection> {
    let bench = Bench::prepare(workshop, project)?;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let mut made = Yield::default();
    let mut records = 0;
    let sites = sites(project, &mut rng);
    let mut batches = batches(&bench.ground(), &sites, recipe.records).into_iter();
    let mut tried = Vec::new().into_iter();
    while records < recipe.records && !stop.load(Ordering::Relaxed) {
        let Some(outcome) = tried.next().or_else(|| {
            tried = try_all(&bench.ground(), batches.next()?).into_iter();
            tried.next()
        }) else {
            break;
        };
        let outcome = outcome.and_then(|tried| tried.confirm(&bench.ground()));
        let Some(record) = made.tried(outcome.map_err(|rejection| rejection.code().to_owned())) else { continue };
        records += 1;
        for skill in chosen(recipe) {
            let built = build(workshop, recipe, skill, &record, &mut rng);
            keep(skill, built, &mut made);
        }
    }
    Ok(made)
}
