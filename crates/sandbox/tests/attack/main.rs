//! What hostile code tries, and that it gets nowhere: every attack against each backend that this machine can run.
//!
//! `registry.rs` lists the attacks. Their results are the table in `docs/reference/security.md`; a test compares them,
//! and writes them when `UPDATE_SECURITY_TABLE=1`. Run by root, the suite runs once more as an ordinary user.

#![expect(clippy::print_stderr, reason = "skipped tests say why")]

#[path = "../conformance/again.rs"]
mod again;
mod closed;
#[cfg(feature = "kubernetes-tests")]
#[path = "../kubernetes/cluster/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the backend use all of it")]
mod cluster;
#[cfg(feature = "kubernetes-tests")]
mod clusters;
#[path = "../conformance/columns.rs"]
mod columns;
mod ends;
mod files;
#[path = "../conformance/fixture.rs"]
#[allow(dead_code, reason = "the conformance suite uses all of it")]
mod fixture;
mod floods;
mod neighbours;
mod probe;
mod processes;
mod registry;
mod results;
mod secrets;
mod table;

use basis_sandbox::Backend;

/// One attack.
struct Attack {
    number: usize,
    name: &'static str,
    /// What it tries to reach, and how.
    tries: &'static str,
    /// How it is seen that it failed.
    seen: &'static str,
    /// Panics when the attack succeeds.
    run: fn(&dyn Backend),
}
