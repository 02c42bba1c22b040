//! The dispatcher with scripted policies. Nothing here runs a command, so the sandbox is an empty one in memory.

use std::collections::{BTreeSet, HashSet};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread::ThreadId;

use async_trait::async_trait;
use basis_sandbox::{Change, Command, Output, Sandbox, SandboxError};

use super::{Crew, Job, Roster, World, dispatch};
use crate::episode::{End, Episode, Grade, InvalidCause, Message, Reply, Score, Submission, ToolCall};
use crate::policy::nothing::Nothing;
use crate::policy::scripted::Scripted;
use crate::policy::{Action, Policy, PolicyError, Session};
use crate::task::Task;
use crate::testkit::task;

/// Holds no files and loses every command.
struct Empty;

impl Sandbox for Empty {
    fn exec(&mut self, _command: &Command) -> Result<Output, SandboxError> {
        Err(SandboxError::Lost("it is empty".into()))
    }

    fn read(&mut self, path: &str, _max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        Err(SandboxError::NotFound(path.into()))
    }

    fn write(&mut self, _path: &str, _bytes: &[u8]) -> Result<(), SandboxError> {
        Ok(())
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        Ok(vec![])
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }
}

/// Opens the `n`-th sandbox and gives the `n`-th grade as told, counting from 0.
struct Scenario<S, G> {
    sandbox: S,
    grade: G,
    opened: AtomicU32,
    graded: AtomicU32,
}

impl<S, G> Scenario<S, G>
where
    S: Fn(u32) -> Result<(), InvalidCause> + Send + Sync,
    G: Fn(u32) -> Grade + Send + Sync,
{
    fn new(sandbox: S, grade: G) -> Self {
        Self { sandbox, grade, opened: AtomicU32::new(0), graded: AtomicU32::new(0) }
    }

    /// Plays one job in this world; says how many sandboxes and grades that took.
    fn play(&self, policy: &dyn Policy) -> (Episode, u32, u32) {
        let mut episodes = play(1, policy, self).0;
        let episode = episodes.pop().expect("one job gives one episode");
        (episode, self.opened.load(Ordering::SeqCst), self.graded.load(Ordering::SeqCst))
    }
}

impl<S, G> World for Scenario<S, G>
where
    S: Fn(u32) -> Result<(), InvalidCause> + Send + Sync,
    G: Fn(u32) -> Grade + Send + Sync,
{
    fn sandbox(&self, _task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        (self.sandbox)(self.opened.fetch_add(1, Ordering::SeqCst))?;
        Ok(Box::new(Empty))
    }

    fn grade(&self, _task: &Task, _submission: &Submission) -> Grade {
        (self.grade)(self.graded.fetch_add(1, Ordering::SeqCst))
    }
}

fn full() -> Grade {
    Grade::Scored(Score { reward: 1.0, code: "ok".into(), detail: String::new(), table: vec![] })
}

fn broken() -> InvalidCause {
    InvalidCause::Sandbox("no space".into())
}

fn jobs(count: u32) -> Vec<Job> {
    let task = Arc::new(task());
    (0..count).map(|sample| Job { task: task.clone(), sample, seed: u64::from(sample) }).collect()
}

/// All episodes of `count` jobs on 4 workers, and how many were not started.
fn play(count: u32, policy: &dyn Policy, world: &dyn World) -> (Vec<Episode>, usize) {
    let mut episodes = Vec::new();
    let roster = Roster::default();
    let crew = Crew { player: policy.into(), world, workers: 4, roster: &roster };
    let left = dispatch(jobs(count), crew, &mut |episode| episodes.push(episode), &AtomicBool::new(false));
    assert_eq!(roster.posts().len(), 0, "nobody is left on the roster");
    (episodes, left)
}

/// Two workers who do nothing.
fn idle<'a>(world: &'a dyn World, roster: &'a Roster) -> Crew<'a> {
    Crew { player: (&Nothing).into(), world, workers: 2, roster }
}

/// Panics on every third seed.
fn panicking() -> Scripted {
    let begin = |_: &Task, seed: u64| {
        assert!(!seed.is_multiple_of(3), "the third one");
        Box::new(|_: &[_]| Reply::default()) as crate::policy::scripted::Script
    };
    Scripted::new("panicking", Arc::new(begin))
}

#[test]
fn every_job_comes_out_exactly_once() {
    let (episodes, left) = play(200, &Nothing, &Scenario::new(|_| Ok(()), |_| full()));
    let samples: BTreeSet<u32> = episodes.iter().map(|episode| episode.sample).collect();
    assert_eq!((episodes.len(), samples.len(), left), (200, 200, 0));
    assert!(episodes.iter().all(|episode| episode.reward() == Some(1.0) && episode.end == Some(End::Submitted)));
    assert!(episodes.iter().all(|episode| episode.policy == "nothing" && episode.prompt == "do it"));
}

#[test]
fn no_jobs_give_no_episodes() {
    assert_eq!(play(0, &Nothing, &Scenario::new(|_| Ok(()), |_| full())), (vec![], 0));
}

#[test]
fn a_panic_makes_its_own_episode_invalid_and_no_other() {
    let (episodes, _) = play(30, &panicking(), &Scenario::new(|_| Ok(()), |_| full()));
    let invalid = Grade::Invalid(InvalidCause::Model("panic: the third one".into()));
    assert_eq!(episodes.len(), 30);
    for episode in episodes {
        assert_eq!(episode.grade == invalid, episode.sample % 3 == 0, "{episode:?}");
    }
}

#[test]
fn a_failure_of_infrastructure_is_tried_once_more() {
    let first_fails = |count| if count == 0 { Err(broken()) } else { Ok(()) };
    let (episode, opened, graded) = Scenario::new(first_fails, |_| full()).play(&Nothing);
    assert_eq!((episode.reward(), opened, graded), (Some(1.0), 2, 1));
}

#[test]
fn the_second_failure_is_recorded_and_never_a_reward() {
    let (episode, opened, graded) = Scenario::new(|_| Err(broken()), |_| full()).play(&Nothing);
    assert_eq!((episode.reward(), episode.end, opened, graded), (None, None, 2, 0));
    assert_eq!(episode.grade, Grade::Invalid(broken()));
}

#[test]
fn a_grader_that_failed_grades_again_what_was_handed_in() {
    let first_panics = |count| if count == 0 { panic!("grader {count}") } else { full() };
    let (episode, opened, graded) = Scenario::new(|_| Ok(()), first_panics).play(&Nothing);
    assert_eq!((episode.reward(), opened, graded), (Some(1.0), 1, 2));

    let cause = InvalidCause::Grader("panic: always".into());
    let (episode, opened, graded) = Scenario::new(|_| Ok(()), |_| panic!("always")).play(&Nothing);
    assert_eq!((episode.grade, opened, graded), (Grade::Invalid(cause), 1, 2));
    assert_eq!(episode.end, Some(End::Submitted));
}

#[test]
fn a_broken_task_is_not_tried_again() {
    let cause = InvalidCause::Task("no tree".into());
    let (episode, opened, _) = Scenario::new(|_| Err(InvalidCause::Task("no tree".into())), |_| full()).play(&Nothing);
    assert_eq!((episode.grade, opened), (Grade::Invalid(cause), 1));
}

#[test]
fn what_happened_before_an_interruption_is_kept() {
    struct Dying(bool);
    impl Policy for Dying {
        fn name(&self) -> String {
            "dying".into()
        }
        fn start(&self, _: &Task, _: u32, _: u64) -> Result<Box<dyn Session>, PolicyError> {
            Ok(Box::new(Dying(false)))
        }
    }
    #[async_trait]
    impl Session for Dying {
        async fn act(&mut self, _: &[Message]) -> Result<Action, PolicyError> {
            let create = ToolCall::StrReplace { path: "a".into(), old: String::new(), new: String::new() };
            match std::mem::replace(&mut self.0, true) {
                false => Ok(Action::Reply(Reply { calls: vec![create], ..Reply::default() })),
                true => Err(PolicyError::Unavailable("the server went away".into())),
            }
        }
    }
    let (episode, _, _) = Scenario::new(|_| Ok(()), |_| full()).play(&Dying(false));
    assert_eq!(episode.grade, Grade::Invalid(InvalidCause::Model("the server went away".into())));
    assert_eq!((episode.end, episode.steps.len()), (None, 1));
}

#[test]
fn a_lost_sandbox_is_invalid_not_an_observation() {
    let call = ToolCall::Bash { command: "ls".into() };
    let reply = Reply { calls: vec![call], ..Reply::default() };
    let policy = Scripted::new(
        "lists",
        Arc::new(move |_, _| {
            let reply = reply.clone();
            Box::new(move |_: &[_]| reply.clone())
        }),
    );
    let (episode, opened, _) = Scenario::new(|_| Ok(()), |_| full()).play(&policy);
    let cause = InvalidCause::Sandbox("sandbox lost: it is empty".into());
    assert_eq!((episode.grade, opened), (Grade::Invalid(cause), 2));
}

#[test]
fn all_that_are_held_up_are_held_up_at_once() {
    const AT_ONCE: usize = 20;
    let all_here = Barrier::new(AT_ONCE);
    let world = Scenario::new(
        |_| {
            all_here.wait();
            Ok(())
        },
        |_| {
            all_here.wait();
            full()
        },
    );
    let roster = Roster::default();
    let crew = Crew { player: (&Nothing).into(), world: &world, workers: AT_ONCE, roster: &roster };
    let mut episodes = 0;
    dispatch(jobs(2 * AT_ONCE as u32), crew, &mut |_| episodes += 1, &AtomicBool::new(false));
    assert_eq!(episodes, 2 * AT_ONCE);
}

#[test]
fn whoever_waits_for_a_turn_takes_no_thread() {
    /// Waits until everybody does, and knows which threads that took.
    #[derive(Clone, Default)]
    struct Waiting(Arc<Mutex<(Vec<Waker>, HashSet<ThreadId>)>>);
    const AT_ONCE: usize = 500;
    impl Policy for Waiting {
        fn name(&self) -> String {
            "waiting".into()
        }
        fn start(&self, _: &Task, _: u32, _: u64) -> Result<Box<dyn Session>, PolicyError> {
            Ok(Box::new(self.clone()))
        }
    }
    #[async_trait]
    impl Session for Waiting {
        async fn act(&mut self, _: &[Message]) -> Result<Action, PolicyError> {
            let mut is_here = false;
            poll_fn(|context| {
                let (wakers, threads) = &mut *self.0.lock().expect("nobody panics");
                threads.insert(std::thread::current().id());
                if !std::mem::replace(&mut is_here, true) {
                    wakers.push(context.waker().clone());
                }
                match wakers.len() {
                    AT_ONCE => {
                        wakers.iter().for_each(Waker::wake_by_ref);
                        Poll::Ready(())
                    }
                    _ => Poll::Pending,
                }
            })
            .await;
            Ok(Action::Reply(Reply::default()))
        }
    }
    let (world, roster, policy) = (Scenario::new(|_| Ok(()), |_| full()), Roster::default(), Waiting::default());
    let crew = Crew { player: (&policy).into(), world: &world, workers: AT_ONCE, roster: &roster };
    let mut episodes = 0;
    dispatch(jobs(AT_ONCE as u32), crew, &mut |_| episodes += 1, &AtomicBool::new(false));
    assert_eq!(episodes, AT_ONCE);
    let threads = policy.0.lock().expect("nobody panics").1.len();
    assert!(threads < AT_ONCE / 5, "{threads} threads");
}

#[test]
fn a_stop_lets_running_jobs_finish_and_starts_no_other() {
    let stop = AtomicBool::new(false);
    let world = Scenario::new(|_| Ok(()), |_| full());
    let mut episodes = 0;
    let mut on_episode = |_| {
        episodes += 1;
        stop.store(true, Ordering::SeqCst);
    };
    let left = dispatch(jobs(1000), idle(&world, &Roster::default()), &mut on_episode, &stop);
    assert_eq!(episodes + left, 1000);
    assert_eq!(episodes, world.opened.load(Ordering::SeqCst) as usize);
    assert!(left > 900, "{left} were not started");
}

#[test]
fn a_stop_before_the_start_starts_nothing() {
    let world = Scenario::new(|_| Ok(()), |_| full());
    let (roster, stop) = (Roster::default(), AtomicBool::new(true));
    let left = dispatch(jobs(5), idle(&world, &roster), &mut |_| panic!("nothing starts"), &stop);
    assert_eq!(left, 5);
}

#[test]
fn a_panic_of_the_caller_ends_the_workers() {
    let world = Scenario::new(|_| Ok(()), |_| full());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let (roster, stop) = (Roster::default(), AtomicBool::new(false));
        dispatch(jobs(1000), idle(&world, &roster), &mut |_| panic!("no disk"), &stop)
    }));
    assert!(outcome.is_err());
    assert!(world.opened.load(Ordering::SeqCst) < 100);
}
