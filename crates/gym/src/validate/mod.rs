//! From a mutation or a commit to a bug record, confirmed by execution.

mod batch;
mod confirm;
mod history;
mod pair;
mod proposal;
mod rejection;
mod symptom;

pub use batch::{BATCH, Tried, try_all};
pub use confirm::{Ground, validate};
pub use history::{Lab, Shown, try_fix, validate_fix};
pub use pair::validate_pair;
pub use rejection::Rejection;
