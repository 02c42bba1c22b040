//! What a control group can limit, and the files with which each version does it.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Limits;

/// One thing that a control group limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backends::namespace) enum Controller {
    /// Memory, files in a tmpfs included.
    Memory,
    /// Processes and threads.
    Processes,
    /// Processor time.
    Processors,
}

/// The two kinds of hierarchies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backends::namespace) enum Version {
    One,
    Two,
}

/// Beside what commands may have: the keeper and the first process of the box.
const OURS: u64 = 2;

impl Controller {
    /// All of them.
    pub(in crate::backends::namespace) const ALL: &[Self] = &[Self::Memory, Self::Processes, Self::Processors];

    /// The kernel's name for it.
    pub(in crate::backends::namespace) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "pids",
            Self::Processors => "cpu",
        }
    }

    /// The one with this name.
    pub(in crate::backends::namespace) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|controller| controller.name() == name)
    }

    /// The file with its limit, without which a group cannot keep it.
    pub(super) fn limit_file(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Memory, Version::One) => "memory.limit_in_bytes",
            (Self::Memory, Version::Two) => "memory.max",
            (Self::Processes, _) => "pids.max",
            (Self::Processors, Version::One) => "cpu.cfs_quota_us",
            (Self::Processors, Version::Two) => "cpu.max",
        }
    }

    /// The file that says how often the limit was enforced, and under which name.
    pub(super) fn counter(self, version: Version) -> Option<(&'static str, &'static str)> {
        match (self, version) {
            (Self::Memory, Version::One) => Some(("memory.oom_control", "oom_kill")),
            (Self::Memory, Version::Two) => Some(("memory.events", "oom_kill")),
            (Self::Processes, _) => Some(("pids.events", "max")),
            (Self::Processors, _) => None,
        }
    }

    /// Sets the limit for all processes of a group together.
    pub(super) fn limit(self, version: Version, group: &Path, limits: &Limits) -> io::Result<()> {
        let write = |file: &str, value: &str| fs::write(group.join(file), value);
        let file = self.limit_file(version);
        match self {
            Self::Memory => {
                let (swap, none, value) = match version {
                    // It counts memory too, and may never be below the other limit.
                    Version::One => ("memory.memsw.limit_in_bytes", "-1", limits.memory_bytes),
                    Version::Two => ("memory.swap.max", "0", 0),
                };
                // Kernels that do not account swap lack the file.
                let _ = write(swap, none);
                write(file, &limits.memory_bytes.to_string())?;
                let _ = write(swap, &value.to_string());
                Ok(())
            }
            Self::Processes => write(file, &limits.processes.saturating_add(OURS).to_string()),
            Self::Processors => processors(version, limits.millicpus, |value| write(file, value)),
        }
    }
}

fn processors(version: Version, millicpus: Option<u64>, write: impl Fn(&str) -> io::Result<()>) -> io::Result<()> {
    /// The kernel's own period, in microseconds.
    const PERIOD: u64 = 100_000;
    /// The kernel takes no less.
    const LEAST: u64 = 1000;
    let none = match version {
        Version::One => "-1".to_owned(),
        Version::Two => format!("max {PERIOD}"),
    };
    write(&none)?;
    let Some(share) = millicpus else { return Ok(()) };
    let quota = (share.saturating_mul(PERIOD) / 1000).max(LEAST);
    match write(&quota.to_string()) {
        // A group above has less, which is then the limit.
        Err(error) if version == Version::One && error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_share_of_a_processor_is_a_quota_of_the_period() {
        let written = |version, share| {
            let lines = RefCell::new(Vec::new());
            processors(version, share, |value| {
                lines.borrow_mut().push(value.to_owned());
                Ok(())
            })
            .expect("written");
            lines.into_inner()
        };
        assert_eq!(written(Version::One, Some(1500)), ["-1", "150000"]);
        assert_eq!(written(Version::Two, Some(250)), ["max 100000", "25000"]);
        assert_eq!(written(Version::One, Some(1)), ["-1", "1000"], "the least that the kernel takes");
        assert_eq!(written(Version::One, None), ["-1"]);
    }

    #[test]
    fn a_limit_above_that_of_a_surrounding_group_is_that_one() {
        let refuse = |value: &str| match value {
            "-1" => Ok(()),
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        processors(Version::One, Some(4000), refuse).expect("taken");
    }

    #[test]
    fn names_are_those_of_the_kernel() {
        for controller in Controller::ALL {
            assert_eq!(Controller::named(controller.name()), Some(*controller));
        }
        assert_eq!(Controller::named("io"), None);
    }
}
