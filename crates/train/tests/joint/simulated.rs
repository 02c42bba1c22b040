//! The schedule of overlapping rollouts, in simulated time: episodes whose durations spread over a factor of a hundred.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use basis_gym::rollout::{Job, seed};
use basis_gym::task::Task;
use basis_train::run::Schedule;

use crate::world::task;

const ITERATIONS: u32 = 20;
const TASKS: usize = 30;
const GROUP: u32 = 8;
const WORKERS: usize = 32;

/// From one second to a hundred, every factor as likely as the next.
fn duration(job: &Job) -> Duration {
    let uniform = (job.seed >> 11) as f64 / (1_u64 << 53) as f64;
    Duration::from_secs_f64((uniform * 100.0_f64.ln()).exp())
}

fn jobs(tasks: &[Arc<Task>], iteration: u32) -> Vec<Job> {
    let job = |task: &Arc<Task>, sample| {
        let seed = seed(7, u64::from(iteration), &task.id, sample);
        Job { task: Arc::clone(task), sample, seed }
    };
    tasks.iter().flat_map(|task| (0..GROUP).map(move |sample| job(task, sample))).collect()
}

fn tasks() -> Vec<Arc<Task>> {
    let skill = |n: usize| ["edit", "review", "repro"][n % 3];
    (0..TASKS).map(|n| Arc::new(task(skill(n), &format!("do {n}"), "yes", ""))).collect()
}

/// What one simulated run did.
#[derive(Default)]
struct Outcome {
    /// When the last iteration was trained on.
    end: Duration,
    /// Durations of the episodes that were started, and of those that were trained on, by skill.
    sampled: HashMap<String, Vec<Duration>>,
    trained: HashMap<String, Vec<Duration>>,
    /// The largest number of iterations that were finished between the start of an episode and the iteration that used it.
    age: u32,
}

/// Drives the schedule with a clock of its own.
fn simulate(bound: u32, training: Duration) -> Outcome {
    let tasks = tasks();
    let mut schedule = Schedule::new(0, bound, ITERATIONS);
    let mut outcome = Outcome::default();
    let mut clock = Duration::ZERO;
    let mut running: BinaryHeap<Reverse<(Duration, u32, String, Duration)>> = BinaryHeap::new();
    let mut trained_at: Option<Duration> = None;
    while schedule.finished() < ITERATIONS {
        while let Some(iteration) = schedule.admissible() {
            schedule.admit(jobs(&tasks, iteration));
        }
        while running.len() < WORKERS {
            let Some((iteration, job)) = schedule.start() else { break };
            let took = duration(&job);
            outcome.sampled.entry(job.task.skill.clone()).or_default().push(took);
            outcome.trained.entry(job.task.skill.clone()).or_default().push(took);
            outcome.age = outcome.age.max(iteration - 1 - schedule.finished());
            running.push(Reverse((clock + took, iteration, job.task.skill.clone(), took)));
        }
        if trained_at.is_none() && schedule.is_complete() {
            trained_at = Some(clock + training);
        }
        let next_end = running.peek().map(|Reverse((end, ..))| *end);
        match trained_at.filter(|at| next_end.is_none_or(|end| *at < end)) {
            Some(at) => {
                (clock, trained_at) = (at, None);
                schedule.trained();
            }
            None => {
                let Reverse((end, iteration, skill, took)) = running.pop().expect("something runs or is trained on");
                clock = end;
                schedule.ended(iteration, &skill, took);
            }
        }
    }
    outcome.end = clock;
    assert!(running.is_empty(), "what was started was trained on");
    outcome
}

/// What a trainer does that takes the first episodes that come and drops those that have become too old: they are started
/// all the time, and every `TASKS * GROUP` finished ones make an iteration.
fn dropping(bound: u32) -> Outcome {
    let tasks = tasks();
    let mut stream = (1..).flat_map(|iteration| jobs(&tasks, iteration));
    let mut outcome = Outcome::default();
    let mut running: BinaryHeap<Reverse<(Duration, u32, String, Duration)>> = BinaryHeap::new();
    let (mut clock, mut finished, mut fresh) = (Duration::ZERO, 0_u32, 0);
    while finished < ITERATIONS {
        while running.len() < WORKERS {
            let job = stream.next().expect("has no end");
            let took = duration(&job);
            outcome.sampled.entry(job.task.skill.clone()).or_default().push(took);
            running.push(Reverse((clock + took, finished, job.task.skill.clone(), took)));
        }
        let Reverse((end, started, skill, took)) = running.pop().expect("workers are busy");
        clock = end;
        if finished - started <= bound {
            outcome.trained.entry(skill).or_default().push(took);
            fresh += 1;
        }
        if fresh == TASKS * GROUP as usize / 4 {
            (finished, fresh) = (finished + 1, 0);
        }
    }
    outcome
}

/// Share of episodes of more than half a minute.
fn long(durations: &HashMap<String, Vec<Duration>>) -> f64 {
    let all: Vec<&Duration> = durations.values().flatten().collect();
    all.iter().filter(|took| took.as_secs() >= 30).count() as f64 / all.len() as f64
}

fn total(durations: &HashMap<String, Vec<Duration>>) -> Duration {
    durations.values().flatten().sum()
}

/// The least time that the work can take: all workers busy all the time, or training all the time.
fn ideal(outcome: &Outcome, training: Duration) -> Duration {
    (total(&outcome.sampled) / WORKERS as u32).max(training * ITERATIONS)
}

#[test]
fn what_is_trained_on_is_what_was_sampled_whatever_the_bound() {
    for bound in [0, 1, 2, 4] {
        let outcome = simulate(bound, Duration::from_secs(60));
        assert_eq!(outcome.sampled, outcome.trained, "by skill and duration");
        assert_eq!(outcome.sampled.values().map(Vec::len).sum::<usize>(), (ITERATIONS * GROUP) as usize * TASKS);
        assert!(outcome.age <= bound, "{} > {bound}", outcome.age);
    }
}

#[test]
fn dropping_what_is_old_starves_the_long_episodes() {
    let outcome = dropping(0);
    let (sampled, trained) = (long(&outcome.sampled), long(&outcome.trained));
    assert!(trained < 0.8 * sampled, "{trained} of {sampled}: this test tells a biased trainer from another");
}

#[test]
fn with_a_bound_of_two_the_time_is_close_to_the_least_possible() {
    for training in [60, 150].map(Duration::from_secs) {
        let ratio = |bound| {
            let outcome = simulate(bound, training);
            outcome.end.as_secs_f64() / ideal(&outcome, training).as_secs_f64()
        };
        let ratios = [0, 1, 2].map(ratio);
        println!("training of {training:?}: {ratios:.3?} of the least possible time with bounds 0, 1, 2");
        assert!(ratios[0] > 1.5 && ratios[2] < 1.15, "{ratios:?}");
        assert!(ratios[0] > ratios[1] && ratios[1] >= ratios[2], "{ratios:?}");
    }
}
