//! Small deliberate mistakes, found on the syntax tree of a file and made as edits of a byte range.
//!
//! What is the same in every language. An operator is one file of a language and one line in its registry; the language's [`Rules`] say
//! where nothing may be touched: tests, documentation, types, text that is only printed or logged, everything outside functions.
//! Nothing is executed here: whether a mutation changes behaviour is decided later by the tests of the project.

mod edit;
mod file;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::HashSet;

use tree_sitter::Node;

pub use crate::record::Mutation;
pub use edit::{Edit, own_lines};
pub use file::ParsedFile;

/// One way of making a mistake.
pub trait Operator: Sync {
    /// Unique name in snake case, stored with every mutation.
    fn name(&self) -> &'static str;

    /// Everything that this operator can do to `file`, in order of position.
    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation>;
}

/// What of a language's syntax decides where mistakes may be made.
pub trait Rules: Sync {
    /// The grammar of its files.
    fn grammar(&self) -> tree_sitter::Language;

    /// Whether the file at a path, relative to the project, is never touched.
    fn is_exempt(&self, path: &str) -> bool;

    /// What a node defines, if it defines something that mutations are named after.
    fn definition<'source>(&self, file: &ParsedFile<'source>, node: Node<'_>) -> Option<Definition<'source>>;

    /// Whether nothing in a node may be touched.
    fn is_protected(&self, file: &ParsedFile<'_>, node: Node<'_>) -> bool;
}

/// A definition around other code, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition<'source> {
    /// A function or method.
    Function(&'source str),
    /// What methods belong to.
    Class(&'source str),
}

/// Everything that any of `operators` can do to the file called `path` (relative to the project) with the text `source`, in
/// order of position, each resulting text once. Empty for files that are exempt or do not parse.
pub fn mutations(rules: &'static dyn Rules, operators: &[&dyn Operator], path: &str, source: &str) -> Vec<Mutation> {
    let Some(file) = ParsedFile::parse(rules, path, source) else { return Vec::new() };
    let mut found: Vec<Mutation> = operators.iter().flat_map(|operator| operator.mutations(&file)).collect();
    let mut seen = HashSet::from([blake3::hash(source.as_bytes())]);
    found.retain(|mutation| seen.insert(blake3::hash(mutation.apply(source).as_bytes())));
    found.sort_by_key(|mutation| (mutation.start, mutation.end));
    found
}
