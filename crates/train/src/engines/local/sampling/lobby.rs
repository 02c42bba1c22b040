//! Shares the requests of one queue among threads.
//!
//! Only when no thread has anything to do does one of them block in the queue, so that a failure is never hidden behind a blocked thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

use super::super::super::{Next, SampleQueue, SampleRequest};

/// Sequences that one thread takes alone, even if another is idle: few rows use a core badly, and the machine has other work.
const ALONE: usize = 4;

/// Where requests wait for a thread.
pub(crate) struct Lobby<'a> {
    queue: &'a dyn SampleQueue,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: VecDeque<SampleRequest>,
    /// Sequences of each thread.
    loads: Vec<usize>,
    /// A thread blocks in the queue.
    blocked: bool,
    closed: bool,
    failed: bool,
}

impl<'a> Lobby<'a> {
    pub(crate) fn new(queue: &'a dyn SampleQueue, threads: usize) -> Lobby<'a> {
        let state =
            State { waiting: VecDeque::new(), loads: vec![0; threads], blocked: false, closed: false, failed: false };
        Lobby { queue, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// New requests for a thread that serves `load` at the moment; waits if that is none. Nothing when all is done.
    pub(crate) fn take(&self, thread: usize, load: usize) -> Option<Vec<SampleRequest>> {
        let mut state = self.lock();
        state.loads[thread] = load;
        loop {
            self.pull(&mut state);
            let taken = state.share(thread);
            if !state.waiting.is_empty() || state.closed {
                self.changed.notify_all();
            }
            if state.failed || (state.closed && load == 0 && taken.is_empty() && state.waiting.is_empty()) {
                return None;
            }
            if load > 0 || !taken.is_empty() {
                return Some(taken);
            }
            let nothing_to_do = state.waiting.is_empty() && state.loads.iter().all(|&load| load == 0);
            state = if nothing_to_do && !state.blocked {
                self.block(state)
            } else {
                self.changed.wait(state).expect("nothing panics while it holds the lobby")
            };
        }
    }

    /// Tells all threads to stop.
    pub(crate) fn fail(&self) {
        self.lock().failed = true;
        self.changed.notify_all();
    }

    fn pull(&self, state: &mut State) {
        while !state.closed && !state.blocked {
            match self.queue.next(false) {
                Next::Request(request) => state.waiting.push_back(request),
                Next::Empty => break,
                Next::Closed => state.closed = true,
            }
        }
    }

    fn block<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.blocked = true;
        drop(state);
        let next = self.queue.next(true);
        let mut state = self.lock();
        state.blocked = false;
        match next {
            Next::Request(request) => state.waiting.push_back(request),
            Next::Empty => {}
            Next::Closed => state.closed = true,
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lobby")
    }
}

impl State {
    /// Gives a thread its share, so that all have about the same load.
    fn share(&mut self, thread: usize) -> Vec<SampleRequest> {
        let total = self.waiting.len() + self.loads.iter().sum::<usize>();
        let share = total.div_ceil(self.loads.len()).max(ALONE);
        let count = share.saturating_sub(self.loads[thread]).min(self.waiting.len());
        self.loads[thread] += count;
        self.waiting.drain(..count).collect()
    }
}

/// Makes the other threads stop if this one panics.
pub(crate) struct StopOnPanic<'a, 'q>(pub(crate) &'a Lobby<'q>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail();
        }
    }
}
