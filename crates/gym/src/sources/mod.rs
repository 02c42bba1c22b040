//! Where projects come from. From a source on, every project is treated alike.

pub mod crates;
mod error;
pub mod generated;
mod layout;
mod metadata;
pub mod path;
pub mod pypi;

use std::path::Path;

pub use error::SourceError;

use crate::languages::Toolchains;
use crate::project::Project;
use crate::tree::LayerStore;

/// Opens what `locator` names: `pypi:<name>[==<version>]`, `crate:<name>[@<version>]`, `generated:<seed>`, or a directory. Downloads are kept in `downloads`.
///
/// # Errors
/// [`SourceError`] when there is no such project, or it is no project with tests.
pub fn open(locator: &str, toolchains: &Toolchains, downloads: &LayerStore) -> Result<Project, SourceError> {
    if let Some(seed) = locator.strip_prefix("generated:").and_then(|seed| seed.parse().ok()) {
        return Ok(generated::generate(seed, generated::Split::Train));
    }
    if let Some(requirement) = locator.strip_prefix("pypi:") {
        return pypi::open(requirement, &toolchains.python, downloads);
    }
    if let Some(requirement) = locator.strip_prefix("crate:") {
        return crates::open(requirement, toolchains, downloads);
    }
    match Path::new(locator) {
        directory if crates::is_crate(directory) => crates::open_path(directory, toolchains, downloads),
        directory => path::open(directory),
    }
}
