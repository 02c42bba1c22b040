//! Which episodes may start: those of an iteration begin when the weights that will have trained on them can be at most
//! `bound` iterations older than the weights that sample them.
//!
//! The tasks of an iteration are fixed before it begins, and it is trained on when all its episodes are over. So nothing is
//! dropped for being slow or old, and what is trained on has the lengths and skills of what was sampled. Iteration `t` is
//! trained by the weights after `t - 1`; its first episode starts when at least `t - 1 - bound` iterations are finished. Every
//! token of it, whenever it is sampled and however long it waits, is therefore at most `bound` iterations old when it is used.
//!
//! No threads and no clock: whoever drives it may simulate both.

use std::collections::VecDeque;
use std::time::Duration;

use basis_gym::rollout::{Job, Queue};

/// The iterations that are open, and their jobs.
#[derive(Debug)]
pub struct Schedule {
    /// Finished iterations.
    finished: u32,
    bound: u32,
    /// The last iteration that will be admitted.
    last: u32,
    /// The next iterations, in order; the first one is `finished + 1`.
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    queue: Queue,
    /// Jobs that are not over.
    left: usize,
}

impl Schedule {
    /// A schedule after `finished` iterations that ends with iteration `last`.
    pub fn new(finished: u32, bound: u32, last: u32) -> Self {
        Self { finished, bound, last, open: VecDeque::new() }
    }

    /// The iteration whose jobs may be added now.
    pub fn admissible(&self) -> Option<u32> {
        let next = self.finished + 1 + self.open.len() as u32;
        (next <= self.last && next - 1 - self.bound.min(next - 1) <= self.finished).then_some(next)
    }

    /// Adds the jobs of the admissible iteration.
    pub fn admit(&mut self, jobs: Vec<Job>) {
        self.open.push_back(Open { left: jobs.len(), queue: Queue::new(jobs) });
    }

    /// The next job to start and its iteration: the oldest iteration comes first.
    pub fn start(&mut self) -> Option<(u32, Job)> {
        let first = self.finished + 1;
        self.open.iter_mut().zip(first..).find_map(|(open, iteration)| Some((iteration, open.queue.take_next()?)))
    }

    /// A job of `iteration` is over after `took`.
    pub fn ended(&mut self, iteration: u32, skill: &str, took: Duration) {
        let open = &mut self.open[(iteration - self.finished - 1) as usize];
        open.left -= 1;
        open.queue.ended(skill, took);
    }

    /// Whether every episode of the next iteration to train on is over.
    pub fn is_complete(&self) -> bool {
        self.open.front().is_some_and(|open| open.left == 0)
    }

    /// The complete iteration was trained on.
    pub fn trained(&mut self) {
        self.open.pop_front();
        self.finished += 1;
    }

    /// Finished iterations.
    pub fn finished(&self) -> u32 {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::task;

    fn jobs(count: u32) -> Vec<Job> {
        let task = Arc::new(task("edit", "a", ""));
        (0..count).map(|sample| Job { task: Arc::clone(&task), sample, seed: 0 }).collect()
    }

    fn admit_all(schedule: &mut Schedule) -> Vec<u32> {
        let mut admitted = Vec::new();
        while let Some(iteration) = schedule.admissible() {
            schedule.admit(jobs(2));
            admitted.push(iteration);
        }
        admitted
    }

    #[test]
    fn as_many_iterations_are_open_as_the_bound_allows_and_no_more() {
        for (bound, expected) in [(0, vec![4]), (1, vec![4, 5]), (2, vec![4, 5, 6])] {
            assert_eq!(admit_all(&mut Schedule::new(3, bound, 9)), expected);
        }
        assert_eq!(admit_all(&mut Schedule::new(3, 5, 5)), [4, 5], "nothing is sampled that nobody will train on");
    }

    #[test]
    fn the_oldest_iteration_starts_first_and_the_next_one_is_admitted_when_one_was_trained() {
        let mut schedule = Schedule::new(0, 1, 9);
        assert_eq!(admit_all(&mut schedule), [1, 2]);
        let started: Vec<u32> = std::iter::from_fn(|| schedule.start()).map(|(iteration, _)| iteration).collect();
        assert_eq!(started, [1, 1, 2, 2]);
        for iteration in [2, 1, 2] {
            schedule.ended(iteration, "edit", Duration::ZERO);
            assert!(!schedule.is_complete(), "one episode of the first iteration is still at work");
        }
        schedule.ended(1, "edit", Duration::ZERO);
        assert!(schedule.is_complete());
        schedule.trained();
        assert_eq!(admit_all(&mut schedule), [3]);
        assert!(schedule.is_complete(), "the second iteration was over before");
    }
}
