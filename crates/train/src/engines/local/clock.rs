//! Where the time of the engine's threads goes, for `basis bench`.
//!
//! Each thread counts for itself, so that counting costs two looks at the clock for each operation on a whole micro-batch. What is measured
//! inside of something measured counts for the outer one: the products of attention are attention.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What an engine does with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Products of activations, or of their gradients, with weights.
    Products,
    /// Products that give the gradients of weights.
    WeightGradients,
    /// Scores, softmax and means over keys, and their gradients.
    Attention,
    /// Logits, log-probabilities, the loss, and the gradients of all of these.
    CrossEntropy,
    /// Putting weights into the form that products need, after each step.
    Packing,
    /// AdamW and the norm of the gradient.
    Optimizer,
    /// From logits to a sampled id.
    Choosing,
    /// Norms, gates, rotary embeddings, copies, waiting for requests.
    Rest,
}

impl Work {
    /// All of it, in the order in which it is shown.
    pub const ALL: [Work; 8] = [
        Work::Products,
        Work::WeightGradients,
        Work::Attention,
        Work::CrossEntropy,
        Work::Packing,
        Work::Optimizer,
        Work::Choosing,
        Work::Rest,
    ];

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self {
            Work::Products => "products with weights",
            Work::WeightGradients => "gradients of weights",
            Work::Attention => "attention",
            Work::CrossEntropy => "cross-entropy",
            Work::Packing => "packing weights",
            Work::Optimizer => "optimizer",
            Work::Choosing => "choosing ids",
            Work::Rest => "norms, gates and the rest",
        }
    }
}

/// Wall time of threads by kind of work, summed over the threads.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent([Duration; Work::ALL.len()]);

impl Spent {
    /// The time of one kind of work.
    pub fn of(&self, work: Work) -> Duration {
        self.0[work as usize]
    }

    /// The time of all kinds.
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// The share of a kind, from 0 to 1.
    pub fn share(&self, work: Work) -> f64 {
        self.of(work).as_secs_f64() / self.total().as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Adds what another one has.
    pub(super) fn add(&mut self, other: &Spent) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, other)| *mine += other);
    }
}

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(Spent([Duration::ZERO; Work::ALL.len()])) };
    static MEASURING: Cell<bool> = const { Cell::new(false) };
}

/// Counts the time of a piece of work, unless it is part of one that is being counted.
pub(super) fn time<T>(work: Work, body: impl FnOnce() -> T) -> T {
    if MEASURING.replace(true) {
        return body();
    }
    let start = Instant::now();
    let value = body();
    let mut spent = SPENT.get();
    spent.0[work as usize] += start.elapsed();
    SPENT.set(spent);
    MEASURING.set(false);
    value
}

/// Runs what this thread does, and says where its time went.
pub(super) fn account<T>(body: impl FnOnce() -> T) -> (T, Spent) {
    SPENT.set(Spent::default());
    let start = Instant::now();
    let value = body();
    let mut spent = SPENT.take();
    spent.0[Work::Rest as usize] += start.elapsed().saturating_sub(spent.total());
    (value, spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_counts_once_and_for_the_outer_work() {
        let sleep = || std::thread::sleep(Duration::from_millis(2));
        let ((), spent) = account(|| {
            time(Work::Attention, || time(Work::Products, sleep));
            time(Work::Products, sleep);
            sleep();
        });
        for work in Work::ALL {
            let counted = [Work::Attention, Work::Products, Work::Rest].contains(&work);
            assert_eq!(spent.of(work) >= Duration::from_millis(2), counted, "{work:?}");
        }
        assert!((Work::ALL.map(|work| spent.share(work)).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
