//! Evaluates the small part of Python that the templates are written in.
//!
//! The generator states results in docstrings and tests, and it has to know them without an interpreter on the machine.
//! Whatever this module does not know is [`Stop::Unsupported`], never a guess; tests compare it with a real interpreter.

mod builtins;
mod expressions;
mod methods;
mod operations;
mod program;
mod reader;
mod statements;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

pub(super) use program::Program;
pub(super) use value::{Stop, Value};
