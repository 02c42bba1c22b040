//! What is taken away from a box after it is set up, and from each command before it starts.

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::protocol::{Doing, Failure, Watch};
use super::syscalls::Filter;
use super::{landlock, sys};
use crate::Limits;

/// What a box keeps for itself, and takes from its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// To write whatever modes commands left behind, and to kill.
    Rights,
    /// It has none to keep.
    Nothing,
}

/// Gives up for good what no program that is started could have again. Whoever makes the file view still can: this is done before anybody waits.
pub(super) fn forgo_privileges() -> Result<(), Failure> {
    rustix::thread::set_no_new_privs(true).doing(|| "set no_new_privs".into())?;
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if rustix::thread::remove_capability_from_bounding_set(capability).is_err() {
            break;
        }
    }
    Ok(())
}

/// Gives up for good, in the box itself, all else that neither it nor its commands will need. They may write below
/// the directory `writable`.
pub(super) fn confine_box(writable: &str, keep: Keep, filter: &Filter) -> Result<(), Failure> {
    keep_capabilities(match keep {
        Keep::Rights => CapabilitySet::DAC_OVERRIDE | CapabilitySet::KILL,
        Keep::Nothing => CapabilitySet::empty(),
    })?;
    landlock::restrict(writable).map_err(|error| Failure::new(format!("set Landlock rules ({error})"), &denied()))?;
    filter.install_second()
}

/// Limits one command and drops what the box kept; runs in the child just before the program starts.
pub(super) fn confine_command(limits: &Limits, watch: Watch) -> Result<(), Failure> {
    const FILES: u64 = 1024;
    // A group that counts refusals has to be what refuses; this limit is then the fence behind it.
    const BEHIND: u64 = 16;
    let behind = if watch.processes { 0 } else { BEHIND };
    for (resource, value) in [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, FILES),
        // Above the size of the file system, so that a full disk shows as such and not as a signal.
        (libc::RLIMIT_FSIZE, limits.disk_bytes.saturating_add(1 << 20)),
        // The box itself counts.
        (libc::RLIMIT_NPROC, limits.processes.saturating_add(1 + behind)),
        (libc::RLIMIT_MEMLOCK, 64 << 10),
        (libc::RLIMIT_MSGQUEUE, 0),
    ] {
        sys::limit(resource, value).doing(|| format!("set resource limit {resource}"))?;
    }
    // Before the box itself, and before anything else of the machine, if memory runs out. Not every `/proc` has it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    if watch.memory {
        sys::limit(libc::RLIMIT_DATA, limits.memory_bytes).doing(|| "set the limit of memory".into())?;
    }
    keep_capabilities(CapabilitySet::empty())
}

fn denied() -> std::io::Error {
    std::io::Error::from_raw_os_error(libc::EPERM)
}

fn keep_capabilities(kept: CapabilitySet) -> Result<(), Failure> {
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).doing(|| "drop capabilities".into())
}
