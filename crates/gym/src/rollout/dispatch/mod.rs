//! Plays jobs, many at once, and hands out their episodes.
//!
//! An episode is a future: it lets go of its thread while it waits for a model, and keeps it while it computes or is held up, by a
//! command or a grader; [`turns`] says who goes on. Threads never talk to the outside: they send finished episodes to the caller's
//! thread, which alone calls `on_episode`, so that callers need no locks. If it falls behind, episodes wait for it: finished ones are
//! large.

mod turns;

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Scope, available_parallelism};
use std::time::Instant;

use self::turns::{Bell, Turn, Turns};
use super::attempt;
use super::queue::Queue;
use super::{Player, Roster, World};
use crate::episode::Episode;
use crate::task::Task;

/// Finished episodes that wait for the caller at most.
const UNSEEN: usize = 16;

/// One episode to play.
#[derive(Debug, Clone)]
pub struct Job {
    /// The task.
    pub task: Arc<Task>,
    /// Which of the group's samples this is, from 0.
    pub sample: u32,
    /// Source of the policy's randomness, see [`super::seed`].
    pub seed: u64,
}

/// Who plays, where, and who is told.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    /// Acts.
    pub player: Player<'a>,
    /// Opens sandboxes and grades.
    pub world: &'a dyn World,
    /// Episodes at once; at least one is played.
    pub workers: usize,
    /// Knows who waits for what.
    pub roster: &'a Roster,
}

/// Plays all jobs, as many at once as `crew` has workers, and calls `on_episode` on this thread in the order in which they
/// finish. Skills take turns, so that none of them waits for the long episodes of another.
///
/// Every started job comes out exactly once. Once `stop` is set no further job starts, running ones finish, and the number
/// of jobs that were never started is returned; it is 0 otherwise.
pub fn dispatch(
    jobs: impl IntoIterator<Item = Job>,
    crew: Crew<'_>,
    on_episode: &mut dyn FnMut(Episode),
    stop: &AtomicBool,
) -> usize {
    let places = crew.workers.max(1);
    let processors = available_parallelism().map_or(1, usize::from);
    let turns = Arc::new(Turns::new(Queue::new(jobs), places, processors));
    let (sender, receiver) = mpsc::sync_channel(UNSEEN.min(places));
    let stage = Stage { crew, stop, turns, places: (0..places).map(|_| Mutex::default()).collect() };
    thread::scope(|scope| {
        // Owned by this closure: should `on_episode` panic, it is dropped, and the threads notice and end.
        let receiver: mpsc::Receiver<Episode> = receiver;
        for _ in 0..processors {
            stage.hire(scope, &sender).expect("the machine has as many threads as processors");
        }
        let stage = &stage;
        scope.spawn(move || {
            while let count @ 1.. = stage.turns.wanted(stop) {
                let missing = (0..count).filter(|_| stage.hire(scope, &sender).is_err()).count();
                stage.turns.are_missing(missing);
            }
        });
        receiver.into_iter().for_each(on_episode);
    });
    stage.turns.left()
}

/// An episode that is being played.
struct Play<'a> {
    episode: Pin<Box<dyn Future<Output = Episode> + Send + 'a>>,
    start: Instant,
}

/// What threads share.
struct Stage<'a> {
    crew: Crew<'a>,
    stop: &'a AtomicBool,
    turns: Arc<Turns>,
    places: Vec<Mutex<Option<Play<'a>>>>,
}

impl Stage<'_> {
    fn hire<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        sender: &mpsc::SyncSender<Episode>,
    ) -> io::Result<()> {
        let sender = sender.clone();
        let take_turns = move || {
            let _closing = Closing(&self.turns);
            self.turns.join();
            while let Some(turn) = self.turns.take(self.stop) {
                if self.play(turn).is_some_and(|episode| sender.send(episode).is_err()) {
                    self.turns.close();
                }
                self.turns.rest();
            }
        };
        thread::Builder::new().spawn_scoped(scope, take_turns).map(drop)
    }

    /// Carries an episode on until it waits for something, or to its end.
    fn play(&self, turn: Turn) -> Option<Episode> {
        let (place, job) = match turn {
            Turn::Begin(place, job) => (place, Some(job)),
            Turn::GoOn(place) => (place, None),
        };
        let mut play = self.places[place].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = job {
            let (crew, start) = (self.crew, Instant::now());
            *play = Some(Play { episode: Box::pin(async move { attempt::episode(&job, crew).await }), start });
        }
        let Play { episode, start } = play.as_mut()?;
        let waker = Waker::from(Arc::new(Bell { turns: Arc::clone(&self.turns), place }));
        let Poll::Ready(episode) = episode.as_mut().poll(&mut Context::from_waker(&waker)) else {
            drop(play);
            self.turns.waits(place);
            return None;
        };
        let took = start.elapsed();
        *play = None;
        drop(play);
        self.turns.ended(place, &episode.skill, took);
        Some(episode)
    }
}

/// Should a thread panic, the others end, too.
struct Closing<'a>(&'a Turns);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.close();
        }
    }
}
