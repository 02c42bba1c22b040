//! The comparison that decides a test.

use std::ops::Range;

/// Where a test stands in its file, and the comparison that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// First byte of the test.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// Bytes of indentation before it.
    pub column: usize,
    /// Bytes of its name.
    pub name: Range<usize>,
    /// Bytes that are changed to make the test expect something else.
    pub decisive: Range<usize>,
    /// What stands there then.
    pub other: String,
}

impl Comparison {
    /// The test under another name, expecting what it does or something else.
    pub fn copy(&self, source: &str, name: &str, honest: bool) -> String {
        let decisive = if honest { &source[self.decisive.clone()] } else { &self.other };
        format!(
            "\n\n{}{}{name}{}{decisive}{}",
            " ".repeat(self.column),
            &source[self.start..self.name.start],
            &source[self.name.end..self.decisive.start],
            &source[self.decisive.end..self.end]
        )
    }
}
