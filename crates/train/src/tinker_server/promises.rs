//! What was promised, and what became of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// So many that were kept are remembered, for clients that ask again.
const MOST_KEPT: usize = 4096;

/// What a promise became.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Json(Value),
    Protobuf(Vec<u8>),
    /// Why it was not kept, and whether the client is to blame.
    Failed {
        error: String,
        by_client: bool,
    },
}

/// All promises.
#[derive(Debug, Default)]
pub(super) struct Promises {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// `None` while it is not kept.
    all: HashMap<String, Option<Kept>>,
    kept: VecDeque<String>,
}

/// What is known of a promise.
pub(super) enum Known {
    Kept(Kept),
    Waiting,
    Nothing,
}

impl Promises {
    /// The name of a new promise.
    pub(super) fn make(&self) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("promise-{}", state.next);
        state.next += 1;
        state.all.insert(name.clone(), None);
        name
    }

    pub(super) fn keep(&self, name: &str, kept: Kept) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.all.insert(name.to_owned(), Some(kept));
        state.kept.push_back(name.to_owned());
        if state.kept.len() > MOST_KEPT
            && let Some(oldest) = state.kept.pop_front()
        {
            state.all.remove(&oldest);
        }
        self.changed.notify_all();
    }

    /// What became of a promise, after waiting for it for a while.
    pub(super) fn wait(&self, name: &str, patience: Duration) -> Known {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| matches!(state.all.get(name), Some(None));
        let (state, _) =
            self.changed.wait_timeout_while(state, patience, waiting).unwrap_or_else(PoisonError::into_inner);
        match state.all.get(name) {
            None => Known::Nothing,
            Some(None) => Known::Waiting,
            Some(Some(kept)) => Known::Kept(kept.clone()),
        }
    }
}
