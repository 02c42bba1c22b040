//! The same work on many items, on a few threads, with results in the order of the items.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// How often a waiting thread looks whether it has to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Calls `work` for every item. Once `stop` is set no further item is begun; the results of the others are returned.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    stop: &AtomicBool,
    work: &(dyn Fn(&T) -> R + Sync),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<usize, R>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    results.lock().expect("no panic while locked").insert(at, result);
                }
            });
        }
    });
    results.into_inner().expect("no panic while locked").into_values().collect()
}

/// Calls `work` for items and hands the results to `take` in the order of the items, until it says that it has enough, so that what
/// is taken does not depend on which thread was faster. Few items are begun in vain. Once `stop` is set nothing is begun or taken.
pub fn in_order<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    stop: &AtomicBool,
    work: &(dyn Fn(&T) -> R + Sync),
    take: &mut dyn FnMut(&T, R) -> bool,
) {
    let workers = workers.clamp(1, items.len().max(1));
    let line = Line { state: Mutex::default(), moved: Condvar::new() };
    let over = AtomicBool::new(false);
    let ended = || over.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(at) = line.begin(2 * workers, &ended) {
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    line.finish(at, result);
                }
            });
        }
        for item in items {
            let Some(result) = line.next(&ended) else { break };
            if !take(item, result) {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// What has been begun, what is finished, and what has been taken of it.
struct Line<R> {
    state: Mutex<Positions<R>>,
    moved: Condvar,
}

struct Positions<R> {
    begun: usize,
    taken: usize,
    finished: BTreeMap<usize, R>,
}

impl<R> Default for Positions<R> {
    fn default() -> Self {
        Self { begun: 0, taken: 0, finished: BTreeMap::new() }
    }
}

impl<R> Line<R> {
    /// The position of the next item, at most `ahead` before the one that is taken next.
    fn begin(&self, ahead: usize, ended: &dyn Fn() -> bool) -> Option<usize> {
        self.when(ended, |state| {
            let at = (state.begun < state.taken + ahead).then_some(state.begun)?;
            state.begun += 1;
            Some(at)
        })
    }

    fn finish(&self, at: usize, result: R) {
        self.state.lock().expect("no panic while locked").finished.insert(at, result);
        self.moved.notify_all();
    }

    fn next(&self, ended: &dyn Fn() -> bool) -> Option<R> {
        self.when(ended, |state| {
            let result = state.finished.remove(&state.taken)?;
            state.taken += 1;
            Some(result)
        })
    }

    /// Waits until `change` gives something, or until the end.
    fn when<V>(&self, ended: &dyn Fn() -> bool, change: impl Fn(&mut Positions<R>) -> Option<V>) -> Option<V> {
        let mut state = self.state.lock().expect("no panic while locked");
        loop {
            if ended() {
                return None;
            }
            if let Some(value) = change(&mut state) {
                self.moved.notify_all();
                return Some(value);
            }
            state = self.moved.wait_timeout(state, LOOK).expect("no panic while locked").0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_taken_in_order_until_there_are_enough() {
        let items: Vec<u64> = (0..40).collect();
        let begun = AtomicUsize::new(0);
        let mut taken = Vec::new();
        let work = |item: &u64| {
            begun.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(100 * (item % 3)));
            item * 2
        };
        in_order(&items, 3, &AtomicBool::new(false), &work, &mut |_, result| {
            taken.push(result);
            taken.len() < 10
        });
        assert_eq!(taken, (0..10).map(|item| item * 2).collect::<Vec<_>>());
        assert!(begun.into_inner() <= 10 + 2 * 3);
    }

    #[test]
    fn after_a_stop_nothing_is_taken() {
        in_order(&[1, 2, 3], 2, &AtomicBool::new(true), &|item| *item, &mut |_, _| panic!("something was taken"));
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..40).collect();
        let doubled = map(&items, 3, &AtomicBool::new(false), &|item| {
            std::thread::sleep(std::time::Duration::from_micros(40 - item));
            item * 2
        });
        assert_eq!(doubled, (0..40).map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn after_a_stop_nothing_begins() {
        assert!(map(&[1, 2, 3], 2, &AtomicBool::new(true), &|item| *item).is_empty());
    }
}
