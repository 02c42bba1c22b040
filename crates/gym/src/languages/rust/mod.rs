//! Rust crates: find a toolchain, fetch and build what a crate needs, build and run its tests in sandboxes, look at syntax.
//!
//! In reading order: [`toolchain`], `manifest`, [`environment`], `plan`, `run`, `symptom`, `evaluate`, `syntax`, `authoring`, [`mutation`]. Tests are
//! functions with a `test` attribute, of the library, of programs and of files below `tests`; documentation tests and tests that
//! macros write are not run.

mod anatomy;
mod authoring;
mod comparison;
pub mod environment;
mod error;
mod evaluate;
mod language;
pub mod manifest;
pub mod mutation;
mod plan;
mod run;
mod script;
mod symptom;
mod syntax;
#[cfg(test)]
mod tests;
pub mod toolchain;

pub use environment::{Environment, fetch_crate, resolve};
pub use error::RustError;
pub use language::Rust;
pub use manifest::Manifest;
pub use toolchain::Toolchain;

use crate::tree::Tree;

/// The files of a tree that hold tests.
pub fn test_files(tree: &Tree) -> Vec<String> {
    let sources = tree.paths().filter(|path| path.ends_with(".rs"));
    sources
        .filter(|path| tree.text(path).is_some_and(|text| !syntax::tests(text).is_empty()))
        .map(str::to_owned)
        .collect()
}
