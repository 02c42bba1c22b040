//! Rules of Landlock on top of the file view: writing only where the view is meant to be written, no abstract sockets
//! and signals out of the box. A second fence for the case that the first one has a hole.

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope,
};

/// The newest rules that are used; older kernels keep those that they know, and the oldest none.
const KNOWN: ABI = ABI::V6;

/// Puts this process, and whatever it starts, under the rules for good.
pub(super) fn restrict(writable: &str) -> Result<(), RulesetError> {
    let all = AccessFs::from_all(KNOWN);
    let devices = AccessFs::from_read(KNOWN) | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let rules = [
        ("/", AccessFs::from_read(KNOWN)),
        ("/dev", devices),
        // Processes write about themselves; what else is there is closed by its modes.
        ("/proc", AccessFs::from_read(KNOWN) | AccessFs::WriteFile | AccessFs::Truncate),
        (writable, all),
        ("/tmp", all),
        ("/var/tmp", all),
        ("/dev/shm", all),
    ];
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    for (path, access) in rules {
        // What is not there needs no rule.
        if let Ok(place) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(place, access))?;
        }
    }
    ruleset.restrict_self().map(drop)
}
