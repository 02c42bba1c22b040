//! Where a function stands in a file.

use std::ops::Range;

/// One function or method, at any depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpan {
    /// Its name.
    pub name: String,
    /// Innermost class around it that has no function in between.
    pub class: Option<String>,
    /// First byte, decorators included.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// First line from 1, decorators included.
    pub line_start: usize,
    /// Last line.
    pub line_end: usize,
    /// Bytes of the docstring with its quotes.
    pub docstring: Option<Range<usize>>,
}

impl FunctionSpan {
    /// `name` or `Class.name`.
    pub fn qualified(&self) -> String {
        match &self.class {
            Some(class) => format!("{class}.{}", self.name),
            None => self.name.clone(),
        }
    }
}
