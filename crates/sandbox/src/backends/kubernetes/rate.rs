//! Limits how often something begins.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Gives out times at least an interval apart; none is given out for later than needed.
pub(super) struct Rate {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Rate {
    /// At most `per_second` turns a second.
    pub(super) fn new(per_second: f64) -> Self {
        let seconds = (1.0 / per_second.max(0.001)).min(1000.0);
        Self { interval: Duration::from_secs_f64(seconds), next: Mutex::new(None) }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        tokio::time::sleep_until(self.reserve(Instant::now()).into()).await;
    }

    fn reserve(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().expect("nothing panics while it is held");
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_an_interval_apart_and_idle_time_is_not_saved_up() {
        let rate = Rate::new(10.0);
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!([(); 3].map(|()| rate.reserve(start)), [start, after(100), after(200)]);
        assert_eq!([(); 2].map(|()| rate.reserve(after(5000))), [after(5000), after(5100)]);
    }
}
