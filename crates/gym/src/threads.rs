//! What holds up a thread says so, for whoever has other work for the processor: code that waits does not know who carries it.

use std::cell::RefCell;
use std::sync::Arc;

/// Whoever carries work on threads.
pub(crate) trait Carrier {
    /// One of its threads is held up.
    fn left(&self);
    /// It goes on.
    fn back(&self);
}

thread_local! {
    static CARRIER: RefCell<Option<Arc<dyn Carrier>>> = const { RefCell::new(None) };
}

/// This thread is one of `carrier` from now on.
pub(crate) fn join(carrier: Arc<dyn Carrier>) {
    CARRIER.set(Some(carrier));
}

/// Does what holds up this thread: a command, a grader, an engine.
pub fn held_up<T>(work: impl FnOnce() -> T) -> T {
    // Taken away: whoever is held up within is not held up twice.
    let away = Away(CARRIER.take());
    if let Some(carrier) = &away.0 {
        carrier.left();
    }
    work()
}

/// Goes on when it is dropped, as work may panic.
struct Away(Option<Arc<dyn Carrier>>);

impl Drop for Away {
    fn drop(&mut self) {
        if let Some(carrier) = self.0.take() {
            carrier.back();
            join(carrier);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Diary(Mutex<Vec<&'static str>>);

    impl Carrier for Diary {
        fn left(&self) {
            self.0.lock().expect("nobody panics").push("left");
        }

        fn back(&self) {
            self.0.lock().expect("nobody panics").push("back");
        }
    }

    #[test]
    fn the_carrier_is_told_once_even_of_work_that_panics() {
        let diary = Arc::new(Diary::default());
        assert_eq!(held_up(|| 1), 1, "a thread of nobody");
        join(diary.clone());
        assert_eq!(held_up(|| held_up(|| 2)), 2);
        catch_unwind(AssertUnwindSafe(|| held_up(|| panic!("in between")))).expect_err("it panics");
        assert_eq!(*diary.0.lock().expect("nobody panics"), ["left", "back", "left", "back"]);
    }
}
