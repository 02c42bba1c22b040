//! The agent: one policy acting on one task through two tools in one sandbox.
//!
//! [`run`] is the loop, [`tools`] are what it offers, [`AgentLimits`] what it allows. What is handed in is collected from
//! the host side after every process is dead. The agent never sees skills, graders or the store.

mod collect;
mod limits;
mod play;
pub mod tools;

#[cfg(test)]
mod tests;

pub(crate) use collect::changed_files;
pub use limits::AgentLimits;
pub use play::{Acted, Interrupted, run};
