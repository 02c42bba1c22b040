//! Thousands of idle sandboxes at once: how fast they are made, what they weigh, and whether they go without a trace.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::start::spec;
use super::turns::percentile;
use super::{Section, Target};
use crate::{Backend, Sandbox, SandboxError, backends};

/// Threads that create and destroy.
const THREADS: usize = 2;
/// How long the kernel may take to give the last things back.
const PATIENCE: Duration = Duration::from_secs(60);

type Crowd = Vec<Box<dyn Sandbox>>;

/// Makes `count` sandboxes (at least ten), lets them stand, and destroys them.
///
/// # Errors
/// [`SandboxError`] when the `namespace` backend cannot run here or one of them cannot be made.
pub fn crowd(count: usize) -> Result<Section, SandboxError> {
    let count = count.max(10);
    let descriptors = descriptors();
    let backend = backends::open("namespace")?;
    let memory = available_memory();
    let start = Instant::now();
    let (crowd, mut times) = create(backend.as_ref(), count)?;
    let created = start.elapsed();
    let weight = memory.saturating_sub(available_memory()) as f64 / count as f64 / f64::from(1 << 20);
    let tenth = |number: usize| number * count / 10..(number + 1) * count / 10;
    let tenths: [f64; 10] = std::array::from_fn(|number| percentile(&mut times[tenth(number)], 50).as_secs_f64() * 1e3);
    let [first, .., last] = tenths;
    let start = Instant::now();
    destroy(crowd)?;
    let destroyed = start.elapsed();
    drop(backend);
    let (left, gone) = left(descriptors);
    let targets = vec![
        Target::at_least("created per second", count as f64 / created.as_secs_f64(), 150.0),
        Target::at_most("median of the last tenth / of the first", last / first, 2.0),
        Target::at_most("MiB of the machine's memory for each", weight, 1.0),
        Target::at_most("processes, control groups and descriptors left", left as f64, 0.0),
    ];
    let notes = vec![
        format!(
            "created in {:.1} s by {THREADS} threads; median of each tenth in ms: {}",
            created.as_secs_f64(),
            tenths.iter().map(|median| format!("{median:.1}")).collect::<Vec<_>>().join(" ")
        ),
        format!("destroyed in {:.1} s, everything gone {:.1} s later", destroyed.as_secs_f64(), gone.as_secs_f64()),
    ];
    Ok(Section { title: format!("{count} idle sandboxes at once"), rows: Vec::new(), targets, notes })
}

/// The sandboxes, and how long each took, in the order in which they were begun.
fn create(backend: &dyn Backend, count: usize) -> Result<(Crowd, Vec<Duration>), SandboxError> {
    let next = AtomicUsize::new(0);
    let made = Mutex::new(Vec::with_capacity(count));
    let work = || -> Result<(), SandboxError> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let start = Instant::now();
            let sandbox = backend.create(&spec())?;
            made.lock().expect("nobody panics with it").push((number, start.elapsed(), sandbox));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })?;
    let mut made = made.into_inner().expect("nobody panics with it");
    made.sort_by_key(|(number, ..)| *number);
    let times = made.iter().map(|(_, time, _)| *time).collect();
    Ok((made.into_iter().map(|(.., sandbox)| sandbox).collect(), times))
}

fn destroy(mut crowd: Crowd) -> Result<(), SandboxError> {
    let half = crowd.split_off(crowd.len() / 2);
    std::thread::scope(|scope| {
        let threads =
            [crowd, half].map(|part| scope.spawn(|| part.into_iter().try_for_each(|mut sandbox| sandbox.destroy())));
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })
}

/// How much of what this process held is left at last, and how long it took.
fn left(descriptors_before: usize) -> (usize, Duration) {
    let start = Instant::now();
    loop {
        let own = |holding: &crate::Holding| holding.controller == std::process::id();
        let all =
            backends::holdings(&backends::Options::default()).into_iter().filter_map(|(_, found)| found.ok()).flatten();
        let held: usize = all.filter(own).map(|holding| holding.processes + holding.remains.len()).sum();
        let left = held + descriptors().saturating_sub(descriptors_before);
        if left == 0 || start.elapsed() > PATIENCE {
            return (left, start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn available_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kibibytes| kibibytes << 10)
}
