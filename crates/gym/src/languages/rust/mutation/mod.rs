//! Small deliberate mistakes in Rust source. Whether a mutant compiles is decided by the compiler.

mod operators;
mod rules;
#[cfg(test)]
mod tests;

use crate::mutation::{self, Mutation};
pub use operators::all;

/// Everything that any operator can do to a file; empty for tests and for files that do not parse.
pub(super) fn mutations(path: &str, source: &str) -> Vec<Mutation> {
    mutation::mutations(&rules::Rust, all(), path, source)
}
