//! Whose turn it is: which episode goes on or begins next, and on which thread.
//!
//! As many threads as there are processors carry episodes on at once. A thread that is held up (by a command, a grader, an engine) says
//! so, and another one takes its place: there are as many threads as are held up and as there are processors. An episode that waits as a
//! future holds up none.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

use super::Job;
use crate::rollout::Queue;
use crate::threads::{self, Carrier};

/// A processor has to be free so often, looked at so often, before threads are hired for it: most are held up for less than it takes to
/// start one. Together it is still less than it takes to start a process.
const LOOKS: u32 = 6;
const LOOK: Duration = Duration::from_micros(50);
/// For so many episodes that could go on one thread is hired: most go on for a moment only.
const SHARE: usize = 8;
/// So many at most together.
const HIRED: usize = 64;
/// How long a thread stays that nobody needs.
const LINGER: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Turns {
    state: Mutex<State>,
    /// Threads wait here until something can go on.
    work: Condvar,
    /// Whoever hires threads waits here until one is wanted.
    watch: Condvar,
}

struct State {
    queue: Queue,
    places: Vec<Place>,
    /// Numbers of the places that are free.
    free: Vec<usize>,
    /// Numbers of the places that are ready, the longest first.
    ready: VecDeque<usize>,
    processors: usize,
    /// Threads that carry an episode on and are not held up.
    running: usize,
    /// Threads that wait for work.
    idle: usize,
    /// Threads that have been hired and are not there yet.
    coming: usize,
    is_watch_asleep: bool,
    /// Nobody takes what comes out.
    is_closed: bool,
}

/// What is in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    /// An episode that waits.
    Waiting,
    /// One whose wait is over.
    Ready,
    /// One that a thread carries on.
    Carried,
    /// The same, and something came that it may wait for: it is ready once it waits.
    Called,
}

/// What a thread does next.
pub(super) enum Turn {
    /// A job begins in this place.
    Begin(usize, Job),
    /// The episode in this place goes on.
    GoOn(usize),
}

impl Turns {
    /// Of these jobs, so many at once, on so many processors.
    pub(super) fn new(queue: Queue, places: usize, processors: usize) -> Self {
        let state = State {
            queue,
            places: vec![Place::Free; places],
            free: (0..places).rev().collect(),
            ready: VecDeque::new(),
            processors,
            running: 0,
            idle: 0,
            coming: processors,
            is_watch_asleep: false,
            is_closed: false,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), watch: Condvar::new() }
    }

    /// This thread is one of those that take turns.
    pub(super) fn join(self: &Arc<Self>) {
        threads::join(Arc::<Self>::clone(self));
        self.lock().coming -= 1;
    }

    /// The next turn of this thread, which says [`Self::rest`] after it; none when it may go. Jobs begin only while `stop` is not set.
    pub(super) fn take(&self, stop: &AtomicBool) -> Option<Turn> {
        let mut state = self.lock();
        loop {
            if state.is_over(stop) {
                self.tell_all();
                return None;
            }
            if state.running < state.processors
                && let Some(turn) = state.next(stop)
            {
                state.running += 1;
                self.tell(&state);
                return Some(turn);
            }
            state.idle += 1;
            let (now, waited) = self.work.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
            state = now;
            state.idle -= 1;
            if waited.timed_out() && state.idle >= state.processors {
                return None;
            }
        }
    }

    /// The turn of this thread is over.
    pub(super) fn rest(&self) {
        self.lock().running -= 1;
    }

    /// The episode in this place waits for something.
    pub(super) fn waits(&self, place: usize) {
        let mut state = self.lock();
        match state.places[place] {
            Place::Called => state.get_ready(place),
            _ => state.places[place] = Place::Waiting,
        }
    }

    /// Waits until more threads are wanted, and says how many; 0 when none will be.
    pub(super) fn wanted(&self, stop: &AtomicBool) -> usize {
        let mut state = self.lock();
        let mut looks = 0;
        loop {
            if state.is_over(stop) {
                return 0;
            }
            let is_wanted = state.idle + state.coming == 0 && state.running < state.processors && state.has_next(stop);
            looks = if is_wanted { looks + 1 } else { 0 };
            if looks > LOOKS {
                let waiting = state.ready.len() + state.free.len().min(state.queue.len());
                let count = waiting.div_ceil(SHARE).min(HIRED);
                state.coming += count;
                return count;
            }
            state = if is_wanted {
                self.watch.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0
            } else {
                state.is_watch_asleep = true;
                let mut state = self.watch.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.is_watch_asleep = false;
                state
            };
        }
    }

    /// So many of those that were wanted could not be hired. Others go on without them, and later may be better.
    pub(super) fn are_missing(&self, count: usize) {
        self.lock().coming -= count;
        if count > 0 {
            std::thread::sleep(LINGER);
        }
    }

    /// The episode of `skill` in this place is over.
    pub(super) fn ended(&self, place: usize, skill: &str, took: Duration) {
        let mut state = self.lock();
        state.queue.ended(skill, took);
        state.places[place] = Place::Free;
        state.free.push(place);
    }

    /// Nobody shall go on.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.tell_all();
    }

    /// How many jobs were never begun.
    pub(super) fn left(&self) -> usize {
        self.lock().queue.len()
    }

    /// Tells somebody if there is something to do.
    fn tell(&self, state: &State) {
        // Whether jobs may still begin is for whoever is told to see.
        if state.running >= state.processors || (state.ready.is_empty() && !state.has_job()) {
            return;
        }
        if state.idle > 0 {
            self.work.notify_one();
        } else if state.is_watch_asleep {
            self.watch.notify_one();
        }
    }

    fn tell_all(&self) {
        self.work.notify_all();
        self.watch.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, stop: &AtomicBool) -> Option<Turn> {
        if let Some(place) = self.ready.pop_front() {
            self.places[place] = Place::Carried;
            return Some(Turn::GoOn(place));
        }
        if !self.can_begin(stop) {
            return None;
        }
        let (place, job) = (self.free.pop()?, self.queue.take_next()?);
        self.places[place] = Place::Carried;
        Some(Turn::Begin(place, job))
    }

    fn get_ready(&mut self, place: usize) {
        self.places[place] = Place::Ready;
        self.ready.push_back(place);
    }

    fn has_next(&self, stop: &AtomicBool) -> bool {
        !self.ready.is_empty() || self.can_begin(stop)
    }

    fn can_begin(&self, stop: &AtomicBool) -> bool {
        self.has_job() && !stop.load(Ordering::Relaxed)
    }

    /// A job, and a place for it.
    fn has_job(&self) -> bool {
        !self.free.is_empty() && !self.queue.is_empty()
    }

    fn is_over(&self, stop: &AtomicBool) -> bool {
        let is_nobody_at_work = self.free.len() == self.places.len();
        self.is_closed || (is_nobody_at_work && !self.can_begin(stop))
    }
}

impl Carrier for Turns {
    fn left(&self) {
        let mut state = self.lock();
        state.running -= 1;
        self.tell(&state);
    }

    fn back(&self) {
        self.lock().running += 1;
    }
}

/// Wakes the episode in one place.
pub(super) struct Bell {
    pub(super) turns: Arc<Turns>,
    pub(super) place: usize,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let mut state = self.turns.lock();
        match state.places[self.place] {
            Place::Waiting => {
                state.get_ready(self.place);
                self.turns.tell(&state);
            }
            Place::Carried => state.places[self.place] = Place::Called,
            Place::Free | Place::Ready | Place::Called => {}
        }
    }
}
