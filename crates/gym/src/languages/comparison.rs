//! The comparison that decides a test, so that copies of the test can be made that expect something else.

use std::ops::Range;

/// Where a test stands, and the comparison that decides it; in bytes of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// First byte of the test.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// Column of its first byte.
    pub column: usize,
    /// Its name.
    pub name: Range<usize>,
    /// What is changed.
    pub decisive: Range<usize>,
    /// What it may become: the test must fail then.
    pub others: Vec<String>,
}

impl Comparison {
    /// The test under another name, expecting what it does or something else.
    pub fn copy(&self, source: &str, name: &str, other: Option<&String>) -> String {
        let decisive = other.map_or(&source[self.decisive.clone()], String::as_str);
        format!(
            "\n\n{}{}{name}{}{decisive}{}",
            " ".repeat(self.column),
            &source[self.start..self.name.start],
            &source[self.name.end..self.decisive.start],
            &source[self.decisive.end..self.end]
        )
    }
}
