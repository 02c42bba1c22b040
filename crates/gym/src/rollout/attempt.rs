//! One job to one episode: act, grade, and once more what the infrastructure broke.
//!
//! Nothing escapes from here: errors and panics become [`Grade::Invalid`] with the boundary at which they happened.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pollster::FutureExt as _;

use super::roster::{Entry, Wait, shown};
use super::{Crew, Job, Player, Roster, World};
use crate::agent;
use crate::episode::{Episode, Grade, InvalidCause, Message, Submission, TokenTrace};
use crate::policy::{Action, PolicyError, Session};
use crate::threads::held_up;

/// Plays one job. An infrastructure failure is tried once more; the second one is the result.
pub(super) async fn episode(job: &Job, crew: Crew<'_>) -> Episode {
    let entry = crew.roster.enter(job);
    let mut episode = attempt(job, crew, &entry).await;
    if !is_worth_a_retry(&episode.grade) {
        return episode;
    }
    match episode.end {
        Some(_) => grade(&mut episode, job, crew, &entry),
        None => episode = attempt(job, crew, &entry).await,
    }
    episode
}

/// A broken task stays broken; everything else may pass.
fn is_worth_a_retry(grade: &Grade) -> bool {
    matches!(grade, Grade::Invalid(cause) if !matches!(cause, InvalidCause::Task(_)))
}

/// Plays one job and takes what comes of it: whoever acts cannot act again.
pub fn once(job: &Job, player: Player<'_>, world: &dyn World) -> Episode {
    let roster = Roster::default();
    attempt(job, Crew { player, world, workers: 1, roster: &roster }, &roster.enter(job)).block_on()
}

async fn attempt(job: &Job, crew: Crew<'_>, entry: &Entry<'_>) -> Episode {
    let start = Instant::now();
    let mut episode = blank(job);
    let acted = guarded_throughout(InvalidCause::Model, act(&mut episode, job, crew, entry)).await;
    episode.acting = start.elapsed();
    match acted {
        Ok(()) => grade(&mut episode, job, crew, entry),
        Err(cause) => episode.grade = Grade::Invalid(cause),
    }
    episode
}

async fn act(episode: &mut Episode, job: &Job, crew: Crew<'_>, entry: &Entry<'_>) -> Result<(), InvalidCause> {
    episode.policy = crew.player.name();
    entry.waits_for(Wait::Sandbox);
    let outcome = match crew.player {
        Player::Program(program) => {
            let ran = held_up(|| program.play(job, crew.world));
            ran.map(|ran| {
                episode.tokens = ran.tokens;
                episode.program = Some(ran.record);
                ran.acted
            })
        }
        Player::Policy(policy) => {
            let mut sandbox = held_up(|| guarded(InvalidCause::Sandbox, || crew.world.sandbox(&job.task)))?;
            let session = policy.start(&job.task, job.sample, job.seed)?;
            let mut session = Noted { session, entry };
            let outcome = agent::run(&mut session, sandbox.as_mut(), &job.task, &crew.world.limits()).await;
            held_up(|| drop(sandbox));
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

/// A session whose turns are on the roster.
struct Noted<'a> {
    session: Box<dyn Session>,
    entry: &'a Entry<'a>,
}

#[async_trait]
impl Session for Noted<'_> {
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
        self.entry.waits_for(Wait::Turn);
        let action = self.session.act(new).await;
        if let Ok(Action::Reply(reply)) = &action {
            self.entry.waits_for(Wait::Tool(shown(&reply.calls)));
        }
        action
    }

    fn trace(&mut self) -> Option<TokenTrace> {
        self.session.trace()
    }
}

fn grade(episode: &mut Episode, job: &Job, crew: Crew<'_>, entry: &Entry<'_>) {
    entry.waits_for(Wait::Verdict);
    let start = Instant::now();
    let judge = || guarded(InvalidCause::Grader, || Ok(crew.world.grade(&job.task, &episode.submission)));
    let judged = held_up(judge);
    episode.grade = judged.unwrap_or_else(Grade::Invalid);
    episode.grading += start.elapsed();
}

/// Turns a panic into an invalid cause of the given boundary.
fn guarded<T>(
    boundary: fn(String) -> InvalidCause,
    work: impl FnOnce() -> Result<T, InvalidCause>,
) -> Result<T, InvalidCause> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(boundary(said(&*payload))))
}

/// The same for work that waits in between.
async fn guarded_throughout<T>(
    boundary: fn(String) -> InvalidCause,
    work: impl Future<Output = Result<T, InvalidCause>>,
) -> Result<T, InvalidCause> {
    let mut work = pin!(work);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or_else(|payload| Poll::Ready(Err(boundary(said(&*payload)))))
    })
    .await
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    format!("panic: {}", text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default())
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
