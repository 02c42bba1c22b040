//! Rust crates: find a toolchain, fetch and build what a crate needs, build and run its tests in sandboxes, look at syntax.
//!
//! In reading order: [`toolchain`], `manifest`, [`environment`], `plan`, `documentation`, `run`, `symptom`, `evaluate`, `syntax`, `authoring`, [`mutation`].
//! Tests are functions with a `test` attribute, of the library, of programs and of files below `tests`, and examples in documentation
//! comments of the library; what macros write is not run.

mod anatomy;
mod authoring;
mod comparison;
mod documentation;
pub mod environment;
mod error;
mod evaluate;
mod imports;
mod language;
pub mod manifest;
pub mod mutation;
mod plan;
mod redefined;
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

use crate::languages::{Anatomy as _, Class};
use crate::tree::Tree;

/// The files of a tree that hold tests.
pub fn test_files(tree: &Tree) -> Vec<String> {
    let sources = tree.paths().filter(|path| path.ends_with(".rs"));
    let manifest = tree.text("Cargo.toml").and_then(|text| Manifest::read(text).ok());
    let is_documented = manifest.is_some_and(|it| it.has_documentation_tests() && tree.contains(&it.crate_root()));
    let has_example = |path: &str, text: &str| {
        is_documented && anatomy::Files.class(path) == Class::Source && !documentation::examples(text).is_empty()
    };
    sources
        .filter(|path| tree.text(path).is_some_and(|text| !syntax::tests(text).is_empty() || has_example(path, text)))
        .map(str::to_owned)
        .collect()
}
