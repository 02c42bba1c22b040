//! Whose sandboxes these are: the name that the spawner and the control groups of one backend instance carry.
//!
//! It names the process and when it started, so that what a killed process left behind can be told from what belongs to
//! a live one, by anyone, with nothing but the name.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backends::processes;

/// What every name begins with.
const PREFIX: &str = "basis";

/// The name of one backend instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lease {
    /// Number of the pid namespace; processes of others say nothing here.
    pub(super) namespace: u64,
    /// The controller.
    pub(super) pid: u32,
    /// When it started, in clock ticks after the start of the machine.
    pub(super) started: u64,
    pub(super) instance: u64,
}

impl Lease {
    /// A name for a new instance of this process.
    pub(super) fn of_this_process() -> Option<Self> {
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        let (namespace, started) = (processes::namespace()?, processes::started(pid)?);
        Some(Self { namespace, pid, started, instance: INSTANCES.fetch_add(1, Ordering::Relaxed) })
    }

    /// Whether the controller lives, if that can be known from here.
    pub(super) fn is_held(&self) -> bool {
        processes::namespace() != Some(self.namespace) || processes::started(self.pid) == Some(self.started)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}-{}-{}-{}-{}", self.namespace, self.pid, self.started, self.instance)
    }
}

impl FromStr for Lease {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-')).ok_or(())?;
        let numbers: Vec<u64> = rest.split('-').map(str::parse).collect::<Result<_, _>>().map_err(drop)?;
        let [namespace, pid, started, instance] = numbers[..] else { return Err(()) };
        Ok(Self { namespace, pid: pid.try_into().map_err(drop)?, started, instance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        let lease = Lease::of_this_process().expect("/proc is there");
        assert_eq!(lease.to_string().parse(), Ok(lease.clone()));
        assert!(lease.is_held());
        assert_ne!(Lease::of_this_process(), Some(lease.clone()));
        assert!(!Lease { started: 1, ..lease.clone() }.is_held());
        assert!(Lease { namespace: 1, started: 1, ..lease }.is_held(), "of another pid namespace nothing is known");
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in ["basis-1-2-3", "basis-1-2-3-4-5", "basis-1-2-3-x", "other-1-2-3-4", "basis", ""] {
            assert_eq!(name.parse::<Lease>(), Err(()), "{name}");
        }
    }
}
