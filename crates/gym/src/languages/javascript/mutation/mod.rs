//! Small deliberate mistakes in JavaScript and TypeScript source.

mod operators;
mod rules;
#[cfg(test)]
mod tests;

use crate::mutation::{self, Mutation};
pub use operators::all;

/// Everything that any operator can do to a file; empty for tests and for files that do not parse.
pub(super) fn mutations(path: &str, source: &str) -> Vec<Mutation> {
    mutation::mutations(rules::of(path), all(), path, source)
}
