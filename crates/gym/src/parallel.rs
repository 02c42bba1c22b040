//! The same work on many items, on a few threads, with results in the order of the items.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

#[cfg(test)]
mod tests {
    use super::*;

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
