//! Plays jobs that somebody hands out one after the other, for as long as there are any.
//!
//! Unlike [`super::dispatch`] it does not know the jobs beforehand: whoever hands them out decides when one may start, and
//! ends the whole by handing out none.

use std::time::{Duration, Instant};

use pollster::FutureExt as _;

use super::{Crew, Job, attempt};
use crate::episode::Episode;

/// Hands out jobs. It is asked by many threads at once.
pub trait Source: Sync {
    /// What names a job for whoever hands it out.
    type Ticket: Send;

    /// The next job, after waiting for it if need be; `None` when no more will come.
    fn next(&self) -> Option<(Self::Ticket, Job)>;

    /// A job is over after this time.
    fn ended(&self, job: &Job, took: Duration);
}

/// Plays what `source` hands out on the threads of `crew`, until it hands out no more and the last episode is over.
///
/// Every job comes out exactly once: `on_episode` is called on the thread that played it.
pub fn serve<S: Source>(source: &S, crew: Crew<'_>, on_episode: &(dyn Fn(S::Ticket, Episode) + Sync)) {
    std::thread::scope(|scope| {
        for _ in 0..crew.workers.max(1) {
            scope.spawn(|| {
                while let Some((ticket, job)) = source.next() {
                    let start = Instant::now();
                    let episode = attempt::episode(&job, crew).block_on();
                    source.ended(&job, start.elapsed());
                    on_episode(ticket, episode);
                }
            });
        }
    });
}
