//! Runs jobs on threads and hands out their episodes.
//!
//! Workers never talk to the outside: they send finished episodes to the caller's thread, which alone calls
//! `on_episode`, so that callers need no locks. At most one finished episode per worker waits for the caller.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use super::attempt;
use super::queue::Queue;
use super::{Player, Roster, World};
use crate::episode::Episode;
use crate::task::Task;

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
    /// Threads; at least one plays.
    pub workers: usize,
    /// Knows who waits for what.
    pub roster: &'a Roster,
}

/// Plays all jobs on the threads of `crew` and calls `on_episode` on this thread in the order in which they
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
    let queue = Mutex::new(Queue::new(jobs));
    let workers = crew.workers.max(1);
    let (sender, receiver) = mpsc::sync_channel(workers);
    std::thread::scope(|scope| {
        // Owned by this closure: should `on_episode` panic, it is dropped, and the workers notice and end.
        let receiver: mpsc::Receiver<Episode> = receiver;
        for _ in 0..workers {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                while let Some(job) = next(queue, stop) {
                    let start = Instant::now();
                    let episode = attempt::episode(&job, crew);
                    lock(queue).ended(&job.task.skill, start.elapsed());
                    if sender.send(episode).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        receiver.into_iter().for_each(on_episode);
    });
    queue.into_inner().unwrap_or_else(PoisonError::into_inner).len()
}

fn next(queue: &Mutex<Queue>, stop: &AtomicBool) -> Option<Job> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    lock(queue).take_next()
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
