//! Repositories of the version control system `git`, read through its program.
//!
//! A repository may be hostile. Its objects are fetched into a repository of our own, as over a network, so that none of its
//! configuration, hooks or attributes is ever looked at, and trees are read from objects: nothing is checked out.

mod command;
mod log;
mod objects;
mod repository;
mod tree;
mod write;

pub use log::{Changed, Commit};
pub use repository::{Repository, address};
pub use tree::{LeftOut, Snapshot};
pub use write::{Draft, create, write};
