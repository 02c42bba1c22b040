//! Python projects: find an interpreter, make an environment, run tests in sandboxes, look at syntax.
//!
//! In reading order: [`toolchain`], [`dependencies`], [`environment`], [`run`], [`report`], [`coverage`], [`evaluate`], [`warm`], [`syntax`]. Code
//! of a project is never run outside a sandbox, not even to install what it needs.

mod assemble;
pub mod coverage;
pub mod dependencies;
pub mod environment;
mod error;
pub mod essence;
pub mod evaluate;
mod events;
pub mod report;
pub mod run;
pub mod syntax;
pub mod toolchain;
pub mod warm;

pub use environment::{Environment, Surroundings};
pub use error::PythonError;
pub use report::{Health, Phase, Status, TestOutcome, TestReport};
pub use run::{Selection, run_script, run_tests};
pub use toolchain::Toolchain;
