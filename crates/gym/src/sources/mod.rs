//! Where projects come from. From a source on, every project is treated alike.

mod error;
pub mod generated;
mod layout;
mod metadata;
pub mod path;
pub mod pypi;

use std::path::Path;

pub use error::SourceError;

use crate::languages::python::Toolchain;
use crate::project::Project;
use crate::tree::LayerStore;

/// Opens what `locator` names: `pypi:<name>[==<version>]`, `generated:<seed>`, or a directory. Downloads are kept in `downloads`.
///
/// # Errors
/// [`SourceError`] when there is no such project, or it is not a Python project with tests.
pub fn open(locator: &str, toolchain: &Toolchain, downloads: &LayerStore) -> Result<Project, SourceError> {
    if let Some(seed) = locator.strip_prefix("generated:").and_then(|seed| seed.parse().ok()) {
        return Ok(generated::generate(seed, generated::Split::Train));
    }
    match locator.strip_prefix("pypi:") {
        Some(requirement) => pypi::open(requirement, toolchain, downloads),
        None => path::open(Path::new(locator)),
    }
}
