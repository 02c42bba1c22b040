//! Where projects come from. From a source on, every project is treated alike.

mod error;
pub mod generated;
mod javascript;
mod layout;
mod metadata;
pub mod npm;
pub mod path;
pub mod pypi;

use std::path::Path;

pub use error::SourceError;

use crate::languages::Toolchains;
use crate::project::Project;
use crate::tree::LayerStore;

/// Opens what `locator` names: `pypi:<name>[==<version>]`, `npm:<name>[@<version>]`, `generated:<seed>`, or a directory. Downloads are kept in `downloads`.
///
/// # Errors
/// [`SourceError`] when there is no such project, or no tests in it that can be run.
pub fn open(locator: &str, toolchains: &Toolchains, downloads: &LayerStore) -> Result<Project, SourceError> {
    if let Some(seed) = locator.strip_prefix("generated:").and_then(|seed| seed.parse().ok()) {
        return Ok(generated::generate(seed, generated::Split::Train));
    }
    if let Some(requirement) = locator.strip_prefix("npm:") {
        return npm::open(requirement, toolchains, downloads);
    }
    if let Some(requirement) = locator.strip_prefix("pypi:") {
        return pypi::open(requirement, &toolchains.python, downloads);
    }
    let directory = Path::new(locator);
    match javascript::is_one(directory) {
        true => javascript::read(&absolute(directory), path::origin(directory), toolchains, downloads),
        false => path::open(directory),
    }
}

/// Where a directory really is.
fn absolute(directory: &Path) -> std::path::PathBuf {
    directory.canonicalize().unwrap_or_else(|_| directory.to_owned())
}
