//! A change of a byte range, before it is known by whom and where it is made.

use std::ops::Range;

use tree_sitter::Node;

/// Text that takes the place of a byte range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes that are replaced, both ends on character boundaries.
    pub range: Range<usize>,
    /// What stands there afterwards.
    pub after: String,
}

impl Edit {
    /// Puts `after` in the place of a whole node.
    pub fn replace(node: Node<'_>, after: impl Into<String>) -> Self {
        Self { range: node.byte_range(), after: after.into() }
    }
}

/// The lines of a statement with their ends, if nothing else stands on them.
pub fn own_lines(statement: Node<'_>, source: &str) -> Option<Range<usize>> {
    let start = source[..statement.start_byte()].rfind('\n').map_or(0, |newline| newline + 1);
    let end = source[statement.end_byte()..].find('\n').map(|newline| statement.end_byte() + newline + 1)?;
    let alone = source[start..statement.start_byte()].trim().is_empty();
    (alone && source[statement.end_byte()..end].trim().is_empty()).then_some(start..end)
}
