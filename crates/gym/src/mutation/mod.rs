//! Small deliberate mistakes in Python source, found on its syntax tree and made as edits of a byte range.
//!
//! An operator is one file in [`operators`] and one line in its registry. Nothing is executed here: whether a mutation
//! changes behaviour is decided later by the tests of the project. Test files, docstrings, annotations, decorators,
//! text that is only printed or logged, and everything outside functions are never touched.

mod edit;
mod file;
mod operators;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use crate::record::Mutation;
pub use edit::Edit;
pub use file::ParsedFile;
pub use operators::all;

/// One way of making a mistake.
pub trait Operator: Sync {
    /// Unique name in snake case, stored with every mutation.
    fn name(&self) -> &'static str;

    /// Everything that this operator can do to `file`, in order of position.
    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation>;
}

/// Everything that any operator can do to the file called `path` (relative to the project) with the text `source`, in
/// order of position, each resulting text once. Empty for tests and for files that do not parse.
pub fn mutations(path: &str, source: &str) -> Vec<Mutation> {
    let Some(file) = ParsedFile::parse(path, source) else { return Vec::new() };
    let mut found: Vec<Mutation> = all().iter().flat_map(|operator| operator.mutations(&file)).collect();
    let mut seen = HashSet::from([blake3::hash(source.as_bytes())]);
    found.retain(|mutation| seen.insert(blake3::hash(mutation.apply(source).as_bytes())));
    found.sort_by_key(|mutation| (mutation.start, mutation.end));
    found
}
