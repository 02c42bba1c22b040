//! How fast mutations of a project are judged, with nothing kept: all of them as mining does it, and some of them, evenly spread, each by one
//! fresh process of pytest with the same tests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use basis_sandbox::{Command, Outcome};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::mine::Crew;
use super::steps::{Bench, sites};
use crate::parallel;
use crate::project::{Project, RunnerKind};
use crate::record::{Mutation, TestId};
use crate::skills::Rejection;
use crate::tree::Tree;
use crate::validate::{batches, try_all};

/// A mutation and what the tests say of it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The mutation.
    pub mutation: Mutation,
    /// `recorded`, or why there is no record of it.
    pub code: String,
    /// Whether some test notices it.
    pub is_noticed: bool,
}

/// Figures of one project.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Every mutation that was tried.
    pub judged: Vec<Judged>,
    /// Wall time of running their tests.
    pub running: Duration,
    /// Wall time of making records of those that are noticed, beside that.
    pub recording: Duration,
    /// Some of them in fresh processes, where pytest runs the tests.
    pub fresh: Option<Fresh>,
}

/// What fresh processes took.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// Mutations.
    pub judged: usize,
    /// Those of which they say the same.
    pub agreed: usize,
    /// Wall time.
    pub wall: Duration,
}

/// Judges so many mutations, the same every time, and so many of them once more in fresh processes.
///
/// # Errors
/// When the project cannot be used.
pub fn pace(crew: &Crew, project: &Project, seed: u64, most: usize, fresh: usize) -> Result<Pace, Rejection> {
    let bench = Bench::prepare(crew.workshop, project)?;
    let mut sites = sites(project, &mut ChaCha8Rng::seed_from_u64(seed));
    sites.truncate(most);
    let batches = batches(&bench.ground(), &sites, most);
    let begun = Instant::now();
    let tried =
        parallel::map(&batches, crew.workers, crew.stop, &|batch: &&[Mutation]| try_all(&bench.ground(), batch));
    let running = begun.elapsed();
    let begun = Instant::now();
    let confirm = |batch: &Vec<_>| -> Vec<Result<(), String>> {
        let confirmed = batch.iter().map(|tried: &Result<crate::validate::Tried, crate::validate::Rejection>| {
            let confirmed = tried.as_ref().map(|tried| tried.confirm(&bench.ground()).map(drop));
            match confirmed {
                Ok(Ok(())) => Ok(()),
                Ok(Err(rejection)) => Err(rejection.code().to_owned()),
                Err(rejection) => Err(rejection.code().to_owned()),
            }
        });
        confirmed.collect()
    };
    let outcomes = parallel::map(&tried, crew.workers, crew.stop, &confirm);
    let recording = begun.elapsed();
    let judged = sites.iter().zip(outcomes.into_iter().flatten()).map(|(mutation, outcome)| {
        let code = outcome.err().unwrap_or_else(|| "recorded".to_owned());
        let is_noticed = !matches!(code.as_str(), "survived" | "not_covered");
        Judged { mutation: mutation.clone(), code, is_noticed }
    });
    let judged: Vec<Judged> = judged.collect();
    let is_pytest = project.tests.runner == RunnerKind::Pytest;
    let fresh = if is_pytest { Some(in_fresh_processes(crew, project, &bench, &judged, fresh)?) } else { None };
    Ok(Pace { judged, running, recording, fresh })
}

/// So many of the mutations that tests may notice, evenly spread, each by one process of pytest with those tests.
fn in_fresh_processes(
    crew: &Crew,
    project: &Project,
    bench: &Bench,
    judged: &[Judged],
    most: usize,
) -> Result<Fresh, Rejection> {
    let tests = |judged: &Judged| bench.relevant(&judged.mutation).unwrap_or_else(|| bench.reliable().clone());
    let covered: Vec<_> = judged.iter().map(|it| (it, tests(it))).filter(|(_, tests)| !tests.is_empty()).collect();
    let most = most.min(covered.len());
    let chosen: Vec<&(&Judged, BTreeSet<TestId>)> = (0..most).map(|at| &covered[at * covered.len() / most]).collect();
    let begun = Instant::now();
    let run = |(judged, tests): &&(&Judged, BTreeSet<TestId>)| {
        let noticed = is_noticed(crew, project, &judged.mutation, tests)?;
        Ok::<bool, Rejection>(noticed == judged.is_noticed)
    };
    let agreed: Result<Vec<bool>, Rejection> =
        parallel::map(&chosen, crew.workers, crew.stop, &run).into_iter().collect();
    let agreed = agreed?;
    Ok(Fresh { judged: agreed.len(), agreed: agreed.iter().filter(|it| **it).count(), wall: begun.elapsed() })
}

fn is_noticed(
    crew: &Crew,
    project: &Project,
    mutation: &Mutation,
    tests: &BTreeSet<TestId>,
) -> Result<bool, Rejection> {
    let broken = |reason: String| Rejection::new("infrastructure", reason);
    let mut patch = Tree::new();
    patch.insert(mutation.path.clone(), mutation.apply(project.tree.text(&mutation.path).unwrap_or_default()));
    let limits = crew.workshop.suite_limits(&project.tests);
    let mut sandbox = crew
        .workshop
        .sandbox(&project.tests, &[&project.tree, &patch], &limits)
        .map_err(|cause| broken(cause.message().to_owned()))?;
    let start = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"];
    let argv = start.into_iter().chain(tests.iter().map(String::as_str));
    let output = sandbox.exec(&Command::new(argv)).map_err(|error| broken(error.to_string()))?;
    Ok(output.outcome != Outcome::Exited(0))
}
