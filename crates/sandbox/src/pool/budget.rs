//! An amount of something that is lent in the order in which it is asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The amount.
pub(super) struct Budget {
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    free: u64,
    /// Numbers of those who wait, first come first.
    waiting: VecDeque<u64>,
    next: u64,
}

/// A part that was lent. Dropping it gives it back.
pub(super) struct Share {
    budget: Arc<Budget>,
    amount: u64,
}

impl Budget {
    pub(super) fn new(total: u64) -> Arc<Self> {
        let state = State { free: total, waiting: VecDeque::new(), next: 0 };
        Arc::new(Self { total, state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Waits for `amount`, which is at most the total, behind everybody who came before; nothing if it takes longer than that.
    pub(super) fn take(self: &Arc<Self>, amount: u64, patience: Duration) -> Option<Share> {
        let end = Instant::now() + patience;
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.push_back(number);
        while state.waiting.front() != Some(&number) || state.free < amount {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting.retain(|other| *other != number);
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting.pop_front();
        state.free -= amount;
        // The next one may fit, too.
        self.changed.notify_all();
        Some(Share { budget: self.clone(), amount })
    }

    /// The amount, if it is there and nobody waits.
    pub(super) fn take_now(self: &Arc<Self>, amount: u64) -> Option<Share> {
        let mut state = self.lock();
        if !state.waiting.is_empty() || state.free < amount {
            return None;
        }
        state.free -= amount;
        Some(Share { budget: self.clone(), amount })
    }

    /// Whether anything is lent besides `share`.
    pub(super) fn is_lent_beside(&self, share: &Share) -> bool {
        self.lock().free + share.amount < self.total
    }

    /// A panic elsewhere cannot leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// How much it is.
    pub(super) fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.lock().free += self.amount;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn never_more_than_the_total_is_lent() {
        let budget = Budget::new(10);
        let first = budget.take(7, LONG).expect("there is room");
        assert!(budget.take(4, Duration::from_millis(1)).is_none());
        assert!(budget.take_now(4).is_none());
        let second = budget.take_now(3).expect("there is room");
        assert!(budget.is_lent_beside(&first));
        drop((first, second));
        drop(budget.take(10, LONG).expect("all came back"));
    }

    #[test]
    fn a_large_wish_is_not_overtaken_by_small_ones() {
        let budget = Budget::new(10);
        let first = budget.take(6, LONG).expect("there is room");
        let order = Arc::new(Mutex::new(Vec::new()));
        let ask = |amount| {
            let (own, order) = (budget.clone(), order.clone());
            let before = budget.lock().next;
            let thread = std::thread::spawn(move || {
                let share = own.take(amount, LONG).expect("it comes at last");
                order.lock().expect("nobody panics").push(amount);
                drop(share);
            });
            while budget.lock().next == before {
                std::thread::yield_now();
            }
            thread
        };
        let threads = [ask(9), ask(2)];
        assert!(budget.take_now(1).is_none(), "somebody waits");
        drop(first);
        threads.into_iter().for_each(|thread| thread.join().expect("it ended well"));
        assert_eq!(*order.lock().expect("nobody panics"), [9, 2]);
    }
}
