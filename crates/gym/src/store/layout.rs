//! Names of the files of a run, and of runs themselves.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::calendar::day;

pub(super) fn lock(run: &Path) -> PathBuf {
    run.join("run.lock")
}

pub(super) fn config(run: &Path) -> PathBuf {
    run.join("config.toml")
}

pub(super) fn database(run: &Path) -> PathBuf {
    run.join("run.db")
}

pub(super) fn metrics(run: &Path) -> PathBuf {
    run.join("metrics.jsonl")
}

pub(super) fn checkpoints(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

pub(super) fn manifest(run: &Path) -> PathBuf {
    run.join("manifest.json")
}

/// The name of a run is the name of its directory.
pub(super) fn run_name(run: &Path) -> String {
    run.file_name().map_or_else(|| run.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// A number that no other call in this process gets.
pub(super) fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// `train-20261122-093000` in UTC: names of one command sort by time.
pub(super) fn new_name(command: &str, seconds: u64) -> String {
    let (year, month, day) = day(seconds);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{command}-{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::new_name;

    #[test]
    fn names_carry_the_date_in_utc() {
        assert_eq!(new_name("train", 0), "train-19700101-000000");
        assert_eq!(new_name("train", 951_782_400), "train-20000229-000000");
        assert_eq!(new_name("eval", 1_795_340_585), "eval-20261122-094305");
    }
}
