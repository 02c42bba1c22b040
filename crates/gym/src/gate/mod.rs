//! Gates: what a task has to pass before it may be trained or measured on.
//!
//! [`check`] is what every task passes when it is made: the reference scores full and nothing scores nothing. [`examine`] asks everything that
//! can be asked of one task, [`among`] what can only be asked of several; both say which gate objects, why, and what was run.

mod among;
mod appearance;
#[cfg(test)]
mod bad_tests;
mod difficulty;
mod examine;
mod facts;
mod labels;
mod leaks;
mod power;
mod quick;
mod runs;
mod shape;
#[cfg(test)]
mod tests;

pub use among::{AMONG, among};
pub use appearance::{Appearance, appearance, telling_pairs};
pub use difficulty::Difficulty;
pub use examine::{Depth, Examination, GATES, Gate, Objection, Run, examine, trivial_beyond_share};
pub use quick::{Evidence, REPEATS, check};
