//! From a mutation to a bug record, confirmed by execution.

mod batch;
mod confirm;
mod pair;
mod rejection;
mod symptom;

pub use batch::{BATCH, Tried, try_all};
pub use confirm::{Ground, validate};
pub use pair::validate_pair;
pub use rejection::Rejection;
