//! How far something is, with rate and time left.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Without a terminal: a line at most this often.
const PAUSE: Duration = Duration::from_secs(15);

/// Counts things that are done; may be shared between threads. Ends when dropped.
pub(crate) enum Progress {
    /// Shows nothing.
    Silent,
    /// Redraws one line of a terminal.
    Bar(ProgressBar),
    /// Prints a line now and then.
    Lines(Lines),
}

/// Sparse lines for logs.
pub(crate) struct Lines {
    label: String,
    total: u64,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    done: u64,
    note: String,
    printed: Instant,
}

impl Progress {
    pub(crate) fn silent() -> Self {
        Self::Silent
    }

    pub(crate) fn bar(bars: &MultiProgress, label: &str, total: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len}  {per_sec}  {eta} left  {msg}");
        let bar = bars.add(ProgressBar::new(total));
        bar.set_style(style.expect("the template is valid"));
        bar.set_prefix(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(500));
        Self::Bar(bar)
    }

    pub(crate) fn lines(label: &str, total: u64) -> Self {
        let now = Instant::now();
        let state = Mutex::new(State { done: 0, note: String::new(), printed: now });
        Self::Lines(Lines { label: label.to_owned(), total, started: now, state })
    }

    /// Counts `count` more as done.
    pub(crate) fn advance(&self, count: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.inc(count),
            Self::Lines(lines) => lines.update(|state| state.done += count),
        }
    }

    /// Changes the remark at the end of the line.
    pub(crate) fn note(&self, note: impl Into<String>) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.set_message(note.into()),
            Self::Lines(lines) => lines.update(|state| state.note = note.into()),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().expect("no thread panics while it counts");
        let before = state.done;
        change(&mut state);
        let completed = before < self.total && state.done >= self.total;
        if completed || state.printed.elapsed() >= PAUSE {
            state.printed = Instant::now();
            let line = line(&self.label, state.done, self.total, self.started.elapsed(), &state.note);
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

fn line(label: &str, done: u64, total: u64, elapsed: Duration, note: &str) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-9);
    let percent = 100 * done / total.max(1);
    let left = match done {
        0 => "?".to_owned(),
        _ => duration(Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate)),
    };
    format!("{label}: {done}/{total} ({percent} %), {rate:.1}/s, {left} left {note}").trim_end().to_owned()
}

/// `42 s`, `3 min 5 s`, `2 h 10 min`.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_rate_and_time_left() {
        let text = line("episodes", 60, 240, Duration::from_secs(10), "");
        assert_eq!(text, "episodes: 60/240 (25 %), 6.0/s, 30 s left");
        assert_eq!(
            line("episodes", 0, 240, Duration::ZERO, "starting"),
            "episodes: 0/240 (0 %), 0.0/s, ? left starting"
        );
    }
}
