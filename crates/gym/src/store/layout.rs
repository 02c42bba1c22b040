//! Names of the files of a run, and of runs themselves.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{command}-{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// Calendar date of a day number since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
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
