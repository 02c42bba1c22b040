//! Which process owns something that outlives it, and whether that process still runs.

use std::fmt;
use std::fs;
use std::str::FromStr;

use crate::backends::processes;

/// A process of this machine, distinct from every other one until the next start of the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    boot: String,
    /// The pid namespace: numbers mean nothing in another one.
    namespace: u64,
    pub(super) pid: u32,
    /// When it started, in clock ticks after the start of the machine.
    started: u64,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> std::io::Result<Self> {
        let pid = std::process::id();
        let unknown = || std::io::Error::other("/proc/self says nothing (mount /proc)");
        let (started, namespace) =
            (processes::started(pid).ok_or_else(unknown)?, processes::namespace().ok_or_else(unknown)?);
        Ok(Self { boot: boot()?, namespace, pid, started })
    }

    /// Whether it certainly runs, as a process that can be seen from here.
    pub(super) fn is_here(&self) -> bool {
        let (Ok(boot), Some(namespace)) = (boot(), processes::namespace()) else { return false };
        (boot, namespace, processes::started(self.pid)) == (self.boot.clone(), self.namespace, Some(self.started))
    }

    /// Whether it certainly runs no more. What another pid namespace owns is left alone: nobody here can tell.
    pub(super) fn is_dead(&self) -> bool {
        let (Ok(boot), Some(namespace)) = (boot(), processes::namespace()) else { return false };
        boot != self.boot || (namespace == self.namespace && processes::started(self.pid) != Some(self.started))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}.{}", self.boot, self.namespace, self.pid, self.started)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let fields: Vec<&str> = text.split('.').collect();
        let [boot, namespace, pid, started] = fields[..] else { return Err(()) };
        let number = |text: &str| text.parse::<u64>().map_err(drop);
        let pid = pid.parse().map_err(drop)?;
        Ok(Self { boot: boot.into(), namespace: number(namespace)?, pid, started: number(started)? })
    }
}

/// The first part of the id of this start of the machine; enough to tell two apart.
fn boot() -> std::io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.split('-').next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_dead_when_its_number_is_free_or_taken_by_another() {
        let this = Owner::this().expect("known");
        assert_eq!(this.to_string().parse(), Ok(this.clone()));
        assert!(this.is_here() && !this.is_dead());
        assert!(Owner { started: 1, ..this.clone() }.is_dead());
        assert!(Owner { boot: "0".into(), ..this.clone() }.is_dead());
        let elsewhere = Owner { namespace: 1, started: 1, ..this };
        assert!(!elsewhere.is_here() && !elsewhere.is_dead(), "of another pid namespace nothing is known");
        assert!("a.b".parse::<Owner>().is_err());
    }
}
