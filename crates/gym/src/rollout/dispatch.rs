//! Runs jobs on threads and hands out their episodes.
//!
//! Workers never talk to the outside: they send finished episodes to the caller's thread, which alone calls
//! `on_episode`, so that callers need no locks. At most one finished episode per worker waits for the caller.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use super::World;
use super::attempt;
use crate::episode::Episode;
use crate::policy::Policy;
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

/// Plays all jobs on `workers` threads (at least one) and calls `on_episode` on this thread in the order in which they
/// finish.
///
/// Every started job comes out exactly once. Once `stop` is set no further job starts, running ones finish, and the number
/// of jobs that were never started is returned; it is 0 otherwise.
pub fn dispatch(
    jobs: impl IntoIterator<Item = Job>,
    policy: &dyn Policy,
    world: &dyn World,
    workers: usize,
    on_episode: &mut dyn FnMut(Episode),
    stop: &AtomicBool,
) -> usize {
    let queue: Mutex<VecDeque<Job>> = Mutex::new(jobs.into_iter().collect());
    let (sender, receiver) = mpsc::sync_channel(workers.max(1));
    std::thread::scope(|scope| {
        // Owned by this closure: should `on_episode` panic, it is dropped, and the workers notice and end.
        let receiver: mpsc::Receiver<Episode> = receiver;
        for _ in 0..workers.max(1) {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                while let Some(job) = next(queue, stop) {
                    if sender.send(attempt::episode(&job, policy, world)).is_err() {
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

fn next(queue: &Mutex<VecDeque<Job>>, stop: &AtomicBool) -> Option<Job> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}
