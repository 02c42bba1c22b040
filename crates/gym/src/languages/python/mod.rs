//! Python projects: find an interpreter, make an environment, run tests in sandboxes, look at syntax.
//!
//! In reading order: [`toolchain`], [`dependencies`], [`environment`], [`run`], [`evaluate`], [`warm`], [`syntax`], [`authoring`], [`mutation`]. Code
//! of a project is never run outside a sandbox, not even to install what it needs.

mod anatomy;
mod assemble;
pub mod authoring;
mod comparison;
pub mod dependencies;
pub mod environment;
mod error;
pub mod evaluate;
mod events;
pub mod extraction;
pub mod guards;
pub mod hollow;
pub mod imports;
mod language;
pub mod mutation;
pub mod references;
pub mod relocation;
pub mod run;
pub mod syntax;
pub mod toolchain;
pub mod top;
pub mod warm;

pub use environment::{Environment, runner_files};
pub use error::PythonError;
pub use language::Python;
pub use run::{run_script, run_tests};
pub use toolchain::Toolchain;

pub use super::{Health, Phase, Selection, Status, Surroundings, TestOutcome, TestReport};
