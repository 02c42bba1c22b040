//! JavaScript and TypeScript projects: find node, make an environment, run tests in sandboxes, look at syntax.
//!
//! In reading order: [`toolchain`], [`dependencies`], [`environment`], [`run`], [`evaluate`], [`syntax`], [`mutation`]. Code of a project
//! or of a package is never run outside a sandbox. TypeScript is run as far as node itself takes the types away (22.18 and later).

mod anatomy;
mod assemble;
mod authoring;
mod comparison;
pub mod dependencies;
pub mod environment;
mod error;
mod evaluate;
mod events;
mod language;
pub mod mutation;
mod run;
mod subject;
mod suite;
pub mod syntax;
pub mod toolchain;

pub use environment::Environment;
pub use error::JavaScriptError;
pub use language::JavaScript;
pub use suite::has_tests;
pub use toolchain::Toolchain;
