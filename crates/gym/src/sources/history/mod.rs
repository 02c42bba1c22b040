//! Commits that repaired something, as bugs with their tests: nothing of them is run here.
//!
//! A commit is taken apart by what its files are. Tests and configuration of the commit are given to both the healthy and the buggy
//! tree; they differ in the sources alone. Documentation, which may describe the repair, stays as it was before.

mod changed;
mod fix;
mod places;
mod report;

pub use fix::{Fix, Site, Unfit, screen};
pub(super) use places::{Version, places};
