//! Examples in documentation comments, which are tests: they use the crate from outside, like integration tests.
//!
//! In reading order: `comments` finds documentation and what it is of, `fence` knows which blocks of it are tests, `examples` names them and
//! carries them from one version of a file to another, `program` makes one program of them. Rustdoc itself is not run. Not seen are blocks that are only
//! indented, attributes (`#[doc = "…"]`), and whatever macros write.

mod comments;
mod examples;
mod fence;
mod names;
mod program;

pub(super) use examples::{comparison, examples, with_examples_of};
pub(super) use names::names;
pub(super) use program::{Found, Program, ROOT, TARGET_NAME, found};
