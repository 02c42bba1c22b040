//! What a pool may use of the machine.

use std::fs;
use std::time::{Duration, Instant};

/// Bounds of a [`super::Pool`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Memory limits of all sandboxes together.
    pub memory_bytes: u64,
    /// Commands at once.
    pub commands: usize,
    /// Sandboxes ready ahead, of all specifications together.
    pub warm: usize,
    /// They are made ahead only where creating one takes at least this long: what takes no time needs none.
    pub warm_from: Duration,
}

impl Capacity {
    /// Nine tenths of the memory that is available now, two commands for each processor, and a few warm sandboxes where
    /// creating one takes longer than starting an interpreter.
    pub fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            memory_bytes: available_memory().unwrap_or(u64::MAX) / 10 * 9,
            commands: 2 * processors,
            warm: 2 * processors,
            warm_from: Duration::from_millis(50),
        }
    }
}

/// What the machine has, or what the control group of this process has, if that is less.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10;
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group = |limit, used| Some(number(limit)?.saturating_sub(number(used)?));
    let two = group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
    let one = group("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    Some(machine.min(two.or(one).unwrap_or(u64::MAX)))
}

/// Percent of the last ten seconds in which some process waited for memory, from which on nothing new is begun.
const PRESSURE: f64 = 20.0;

/// Nobody waits longer: the pressure may come from elsewhere, and two who wait may each be the other's only hope.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits for a while if processes wait for memory and `others` says that some end is to be expected. Machines that do not tell
/// are never under pressure.
pub(super) fn wait_for_pressure_to_fall(others: impl Fn() -> bool) {
    let read = || fs::read_to_string("/proc/pressure/memory").ok().and_then(|text| pressure(&text));
    let start = Instant::now();
    while start.elapsed() < LONGEST && read().is_some_and(|percent| percent > PRESSURE) && others() {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_last_ten_seconds_counts() {
        let text = "some avg10=31.50 avg60=2.00 avg300=0.10 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure(text), Some(31.5));
        assert_eq!(pressure("nonsense"), None);
    }

    #[test]
    fn this_machine_has_something_to_give() {
        let capacity = Capacity::of_this_machine();
        assert!(capacity.memory_bytes > 1 << 20 && capacity.commands >= 2);
    }
}
