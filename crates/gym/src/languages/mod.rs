//! One folder per language: toolchain, environment, test runner, syntax.

pub mod python;
