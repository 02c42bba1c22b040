//! From a mutation, a commit or a pair of releases to a bug record, confirmed by execution.

mod batch;
mod confirm;
mod history;
mod minimal;
mod pair;
mod proposal;
mod rejection;
mod release;
mod symptom;

pub use batch::{Tried, batches, try_all};
pub use confirm::{Ground, validate};
pub use history::{Lab, Shown, try_fix, validate_fix};
pub use pair::validate_pair;
pub use rejection::Rejection;
pub use release::validate_upgrade;

use std::time::Duration;

/// Processor time that a run which only asks for some tests may take, and that one test may take.
const LONGEST_RUN: Duration = Duration::from_secs(120);
const SLOW_TEST: Duration = Duration::from_secs(1);
