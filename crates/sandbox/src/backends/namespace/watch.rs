//! Sums the memory of a box from inside, for machines where no control group can be made.
//!
//! Not covered: memory files that no process has mapped, and anything faster than the sampling.

use std::fs;
use std::time::Duration;

use rustix::fs::Stat;

/// Time between two samples.
pub(super) const PERIOD: Duration = Duration::from_millis(50);

/// Bytes of private and shared memory of all processes, and of files in the box's tmpfs.
pub(super) fn memory_in_use() -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<i32>().is_ok()));
    let memory: u64 =
        numbered.flat_map(|entry| fs::read_to_string(entry.path().join("status"))).map(|text| resident(&text)).sum();
    memory + files()
}

fn resident(status: &str) -> u64 {
    let kibibytes = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    (kibibytes("RssAnon:") + kibibytes("RssShmem:")) << 10
}

/// Processes and threads of the box, itself included.
pub(super) fn threads() -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
    // A directory has two links and one for each directory in it.
    #[allow(clippy::unnecessary_cast, reason = "narrower on other architectures")]
    let counted = |data: Stat| (data.st_nlink as u64).saturating_sub(2);
    numbered.map(|entry| rustix::fs::stat(entry.path().join("task")).map_or(0, counted)).sum()
}

fn files() -> u64 {
    rustix::fs::statvfs("/tmp").map_or(0, |data| (data.f_blocks - data.f_bfree) * data.f_frsize)
}

#[cfg(test)]
mod tests {
    #[test]
    fn anonymous_and_shared_memory_count_and_files_do_not() {
        let status = "VmRSS:\t    900 kB\nRssAnon:\t     100 kB\nRssFile:\t  500 kB\nRssShmem:\t  20 kB\n";
        assert_eq!(super::resident(status), 120 << 10);
    }
}
