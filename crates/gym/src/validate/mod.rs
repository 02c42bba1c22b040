//! From a mutation to a bug record, confirmed by execution.

mod confirm;
mod rejection;
mod symptom;

pub use confirm::validate;
pub use rejection::Rejection;
