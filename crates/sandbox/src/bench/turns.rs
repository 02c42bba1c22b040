//! Cases that take turns, and what their times add up to.

use std::time::{Duration, Instant};

use super::Row;
use crate::SandboxError;

/// Something that can be done again and again.
pub(super) struct Case<'a> {
    name: String,
    /// Takes part in every so manieth round only: what takes long is done less often.
    every: usize,
    action: Box<dyn FnMut() -> Result<Duration, SandboxError> + 'a>,
}

impl<'a> Case<'a> {
    /// A case whose whole time counts.
    pub(super) fn new(name: &str, mut action: impl FnMut() -> Result<(), SandboxError> + 'a) -> Self {
        Self::part(name, move || {
            let start = Instant::now();
            action()?;
            Ok(start.elapsed())
        })
    }

    /// A case that says itself how long the part took that counts.
    pub(super) fn part(name: &str, action: impl FnMut() -> Result<Duration, SandboxError> + 'a) -> Self {
        Self { name: name.into(), every: 1, action: Box::new(action) }
    }

    /// The same, only in every so manieth round.
    pub(super) fn every(self, rounds: usize) -> Self {
        Self { every: rounds, ..self }
    }
}

/// Does every case `rounds` times, in turns; the first one is what the others are compared with.
pub(super) fn compare(mut cases: Vec<Case<'_>>, rounds: usize) -> Result<Vec<Row>, SandboxError> {
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    let mut order: Vec<usize> = (0..cases.len()).collect();
    for round in 0..rounds.max(1) {
        shuffle(&mut order, round as u64);
        for &index in order.iter().filter(|index| round % cases[**index].every == 0).collect::<Vec<_>>() {
            times[index].push((cases[index].action)()?);
        }
    }
    let names = cases.into_iter().map(|case| case.name);
    Ok(rows(names.zip(times)))
}

/// Orders the cases anew, because the kernel cleans up after one of them while the next one runs.
fn shuffle(order: &mut [usize], round: u64) {
    let mut state = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for last in (1..order.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
}

fn rows(cases: impl Iterator<Item = (String, Vec<Duration>)>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (name, mut times) in cases {
        let [p10, median] = [10, 50].map(|percent| percentile(&mut times, percent));
        let base = rows.first().map_or((p10, median), |row| (row.p10, row.median));
        rows.push(Row {
            name,
            p10,
            median,
            p10_ratio: p10.as_secs_f64() / base.0.as_secs_f64(),
            median_ratio: median.as_secs_f64() / base.1.as_secs_f64(),
        });
    }
    rows
}

/// The time that so many percent of `times`, which are not empty, do not reach.
pub(super) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * percent / 100]
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn rows_are_compared_with_the_first() {
        let times = |from: u64| (from..from + 10).rev().map(Duration::from_millis).collect::<Vec<_>>();
        let rows = rows([("plain".to_owned(), times(9)), ("sandbox".to_owned(), times(19))].into_iter());
        assert_eq!((rows[1].p10, rows[1].median), (Duration::from_millis(20), Duration::from_millis(24)));
        assert_eq!((rows[0].p10_ratio, rows[1].p10_ratio), (1.0, 2.0));
    }

    #[test]
    fn what_takes_long_is_done_less_often() {
        let counts = [Cell::new(0), Cell::new(0)];
        let case = |name, index: usize| {
            let counts = &counts;
            Case::new(name, move || {
                counts[index].set(counts[index].get() + 1);
                Ok(())
            })
        };
        compare(vec![case("often", 0), case("seldom", 1).every(4)], 8).expect("nothing fails");
        assert_eq!(counts.map(Cell::into_inner), [8, 2]);
    }
}
