//! Sandboxes that are made ahead by a thread of their own, where creating one takes long.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::capacity::Capacity;
use crate::{Backend, Sandbox, SandboxError, SandboxSpec};

/// Specifications that are remembered.
const REMEMBERED: usize = 64;
/// Older ones are not handed out: their lease may be over.
const FRESH: Duration = Duration::from_secs(120);

/// The sandboxes that are ready, and the thread that makes them.
pub(super) struct Warm {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    backend: Arc<dyn Backend>,
    memory: Arc<Budget>,
    most: usize,
    from: Duration,
    state: Mutex<State>,
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    ready: VecDeque<Ready>,
    /// What was asked for lately, the newest last.
    asked: VecDeque<SandboxSpec>,
    wishes: VecDeque<SandboxSpec>,
    /// How long creating one takes, lately.
    usual: Duration,
    ended: bool,
}

struct Ready {
    spec: SandboxSpec,
    sandbox: Box<dyn Sandbox>,
    made: Instant,
}

impl Warm {
    pub(super) fn new(backend: Arc<dyn Backend>, memory: Arc<Budget>, capacity: &Capacity) -> Self {
        let (most, from) = (capacity.warm, capacity.warm_from);
        let shared = Arc::new(Shared { backend, memory, most, from, state: Mutex::default(), wanted: Condvar::new() });
        let maker = shared.clone();
        // Without the thread nothing is made ahead, and everything works.
        let thread = std::thread::Builder::new().name("sandbox-maker".into()).spawn(move || maker.serve()).ok();
        Self { shared, thread }
    }

    /// A sandbox that is ready. Asked for the second time, another one is made ahead for the third.
    pub(super) fn take(&self, spec: &SandboxSpec) -> Option<Box<dyn Sandbox>> {
        let mut state = self.shared.lock();
        let known = state.asked.iter().position(|asked| asked == spec);
        if let Some(known) = known {
            state.asked.remove(known);
        }
        state.asked.push_back(spec.clone());
        while state.asked.len() > REMEMBERED {
            state.asked.pop_front();
        }
        if known.is_some() && state.usual >= self.shared.from && self.shared.most > 0 {
            state.wishes.push_back(spec.clone());
            self.shared.wanted.notify_one();
        }
        state.ready.retain(|ready| ready.made.elapsed() < FRESH);
        let index = state.ready.iter().position(|ready| ready.spec == *spec)?;
        state.ready.remove(index).map(|ready| ready.sandbox)
    }

    /// Whether none is ready.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.shared.lock().ready.is_empty()
    }

    /// A new sandbox.
    pub(super) fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        self.shared.create(spec)
    }
}

impl Shared {
    fn serve(&self) {
        while let Some(spec) = self.next_wish() {
            // Nothing is promised to it until it is handed out, but somebody who waits for room shall not wait longer.
            if self.memory.take_now(1).is_none() {
                continue;
            }
            // Whoever asks for one will be told why none can be made.
            let Ok(sandbox) = self.create(&spec) else { continue };
            let mut state = self.lock();
            let crowded_out = if state.ready.len() >= self.most { state.ready.pop_front() } else { None };
            state.ready.push_back(Ready { spec, sandbox, made: Instant::now() });
            drop(state);
            drop(crowded_out);
        }
    }

    fn next_wish(&self) -> Option<SandboxSpec> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(wish) = state.wishes.pop_front() {
                return Some(wish);
            }
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, SandboxError> {
        let start = Instant::now();
        let sandbox = self.backend.create(spec)?;
        let mut state = self.lock();
        state.usual = (state.usual * 3 + start.elapsed()) / 4;
        Ok(sandbox)
    }

    /// A panic elsewhere cannot leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.wanted.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there would be nothing to do about it here.
            let _ = thread.join();
        }
        self.shared.lock().ready.clear();
    }
}
