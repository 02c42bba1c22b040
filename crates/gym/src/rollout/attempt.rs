//! One job to one episode: act, grade, and once more what the infrastructure broke.
//!
//! Nothing escapes from here: errors and panics become [`Grade::Invalid`] with the boundary at which they happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{Job, Player, World};
use crate::agent;
use crate::episode::{Episode, Grade, InvalidCause, Submission};

/// Plays one job. An infrastructure failure is tried once more; the second one is the result.
pub(super) fn episode(job: &Job, player: Player<'_>, world: &dyn World) -> Episode {
    let mut episode = once(job, player, world);
    if !is_worth_a_retry(&episode.grade) {
        return episode;
    }
    match episode.end {
        Some(_) => grade(&mut episode, job, world),
        None => episode = once(job, player, world),
    }
    episode
}

/// A broken task stays broken; everything else may pass.
fn is_worth_a_retry(grade: &Grade) -> bool {
    matches!(grade, Grade::Invalid(cause) if !matches!(cause, InvalidCause::Task(_)))
}

/// Plays one job and takes what comes of it: whoever acts cannot act again.
pub fn once(job: &Job, player: Player<'_>, world: &dyn World) -> Episode {
    let start = Instant::now();
    let mut episode = blank(job);
    let acted = guarded(InvalidCause::Model, || act(&mut episode, job, player, world));
    episode.acting = start.elapsed();
    match acted {
        Ok(()) => grade(&mut episode, job, world),
        Err(cause) => episode.grade = Grade::Invalid(cause),
    }
    episode
}

fn act(episode: &mut Episode, job: &Job, player: Player<'_>, world: &dyn World) -> Result<(), InvalidCause> {
    episode.policy = player.name();
    let outcome = match player {
        Player::Program(program) => {
            let ran = program.play(job, world);
            ran.map(|ran| {
                episode.tokens = ran.tokens;
                episode.program = Some(ran.record);
                ran.acted
            })
        }
        Player::Policy(policy) => {
            let mut sandbox = guarded(InvalidCause::Sandbox, || world.sandbox(&job.task))?;
            let mut session = policy.start(&job.task, job.sample, job.seed)?;
            let outcome = agent::run(session.as_mut(), sandbox.as_mut(), &job.task, &world.limits());
            episode.tokens = session.trace();
            outcome
        }
    };
    match outcome {
        Ok(acted) => {
            episode.steps = acted.steps;
            episode.end = Some(acted.end);
            episode.submission = acted.submission;
            Ok(())
        }
        Err(interrupted) => {
            episode.steps = interrupted.steps;
            Err(interrupted.cause)
        }
    }
}

fn grade(episode: &mut Episode, job: &Job, world: &dyn World) {
    let start = Instant::now();
    let judged = guarded(InvalidCause::Grader, || Ok(world.grade(&job.task, &episode.submission)));
    episode.grade = judged.unwrap_or_else(Grade::Invalid);
    episode.grading += start.elapsed();
}

/// Turns a panic into an invalid cause of the given boundary.
fn guarded<T>(
    boundary: fn(String) -> InvalidCause,
    work: impl FnOnce() -> Result<T, InvalidCause>,
) -> Result<T, InvalidCause> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(boundary(format!("panic: {text}")))
    })
}

fn blank(job: &Job) -> Episode {
    Episode {
        task: job.task.id.clone(),
        skill: job.task.skill.clone(),
        sample: job.sample,
        policy: String::new(),
        prompt: job.task.prompt.clone(),
        steps: Vec::new(),
        end: None,
        submission: Submission::default(),
        grade: Grade::Invalid(InvalidCause::Grader("not graded".to_owned())),
        tokens: None,
        program: None,
        acting: Duration::ZERO,
        grading: Duration::ZERO,
    }
}
