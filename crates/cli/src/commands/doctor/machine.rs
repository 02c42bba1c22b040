//! Cores, memory, disk space, user.

use std::path::Path;

use super::Check;
use crate::context::Context;

const MIB: u64 = 1 << 20;
/// Room for environments, layers and a few runs.
const DISK_MIB: u64 = 2048;
/// What `basis train` may take at its peak.
const MEMORY_MIB: u64 = 2048;

pub(super) fn checks(context: &Context<'_>) -> Vec<Check> {
    let settings = &context.settings;
    vec![user(), cores(), memory(), disk("disk of runs", &settings.run.dir), disk("disk of cache", &settings.cache.dir)]
}

fn user() -> Check {
    let id = rustix::process::geteuid();
    Check::good("user", if id.is_root() { "root".to_owned() } else { format!("ordinary user {}", id.as_raw()) })
}

fn cores() -> Check {
    match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
        1 => Check::poor("cores", "1", "episodes run one after the other; two or more cores are better"),
        cores => Check::good("cores", cores.to_string()),
    }
}

fn memory() -> Check {
    let Some(available) = available_memory() else {
        return Check::poor("memory", "unknown: /proc/meminfo cannot be read", "mount /proc");
    };
    let found = format!("{} MiB available", available / MIB);
    match available / MIB >= MEMORY_MIB {
        true => Check::good("memory", found),
        false => Check::poor(
            "memory",
            found,
            format!("training takes up to {MEMORY_MIB} MiB; lower run.workers or free some"),
        ),
    }
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Looks at the nearest directory that exists already.
fn disk(what: &'static str, dir: &str) -> Check {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.into());
    let existing = absolute.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = match rustix::fs::statvfs(existing) {
        Ok(stat) => stat,
        Err(error) => {
            return Check::missing(what, format!("`{}`: {error}", existing.display()), "choose another directory");
        }
    };
    let free = stat.f_bavail * stat.f_frsize / MIB;
    let found = format!("{free} MiB free for `{dir}`");
    match free {
        0..64 => Check::missing(what, found, "free some space or choose another directory"),
        64..DISK_MIB => Check::poor(what, found, format!("{DISK_MIB} MiB are better")),
        _ => Check::good(what, found),
    }
}
