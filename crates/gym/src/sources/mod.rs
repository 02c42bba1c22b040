//! Where projects come from. From a source on, every project is treated alike.

pub mod crates;
mod error;
pub mod generated;
pub mod git;
pub mod history;
mod ini;
mod javascript;
mod kind;
mod layout;
mod metadata;
pub mod npm;
pub mod pypi;
mod python;
pub mod releases;

use std::path::Path;

pub use error::SourceError;
pub use git::LeftOut;
pub use kind::{Find, language, project};

use crate::calendar::{date, next_month};
use crate::languages::Toolchains;
use crate::project::{Origin, Project, Revision};
use crate::tree::LayerStore;
use git::{Repository, Snapshot};

/// What a locator names.
pub struct Opened {
    /// The project, at the revision that was asked for.
    pub project: Project,
    /// Its history, if it has one.
    pub repository: Option<Repository>,
    /// What of the revision is no part of the project.
    pub left_out: Vec<LeftOut>,
}

/// Opens what `locator` names: `pypi:<name>[==<version>]`, `crate:<name>[@<version>]`, `npm:<name>[@<version>]`, `generated:<seed>`, `git:<address>`, an address that begins with `https://`, or a
/// directory; a directory with a repository in it is read from there, at a `revision` if one is named. Downloads are kept in `downloads`.
///
/// # Errors
/// [`SourceError`] when there is no such project, or it is no project with tests.
pub fn open(
    locator: &str,
    revision: Option<&str>,
    toolchains: &Toolchains,
    downloads: &LayerStore,
) -> Result<Opened, SourceError> {
    match (git::address(locator), revision) {
        (Some(address), revision) => of_repository(&address, revision, toolchains, downloads),
        (None, Some(_)) => Err(SourceError::NoHistory(locator.to_owned())),
        (None, None) => {
            let project = of_package(locator, toolchains, downloads)?;
            Ok(Opened { project, repository: None, left_out: Vec::new() })
        }
    }
}

fn of_repository(
    address: &str,
    revision: Option<&str>,
    toolchains: &Toolchains,
    downloads: &LayerStore,
) -> Result<Opened, SourceError> {
    let repository = Repository::open(address, revision, downloads)?;
    let Snapshot { tree, left_out } = repository.snapshot(&repository.head)?;
    let at = Revision { commit: repository.head.clone(), date: date(repository.time), is_fix: false };
    let origin = Origin { revision: Some(at), ..Origin::new("git", address) };
    let find = Find { folder: repository.name(), origin, before: Some(next_month(repository.time)) };
    let project = project(tree, find, toolchains, downloads)?;
    Ok(Opened { project, repository: Some(repository), left_out })
}

fn of_package(locator: &str, toolchains: &Toolchains, downloads: &LayerStore) -> Result<Project, SourceError> {
    if let Some(seed) = locator.strip_prefix("generated:").and_then(|seed| seed.parse().ok()) {
        return Ok(generated::generate(seed, generated::Split::Train));
    }
    if let Some(requirement) = locator.strip_prefix("pypi:") {
        return pypi::open(requirement, &toolchains.python, downloads);
    }
    if let Some(requirement) = locator.strip_prefix("npm:") {
        return npm::open(requirement, toolchains, downloads);
    }
    if let Some(requirement) = locator.strip_prefix("crate:") {
        return crates::open(requirement, toolchains, downloads);
    }
    let directory = absolute(Path::new(locator));
    let origin = Origin::new("path", directory.display().to_string());
    kind::read(&directory, origin, toolchains, downloads)
}

/// Where a directory really is.
fn absolute(directory: &Path) -> std::path::PathBuf {
    directory.canonicalize().unwrap_or_else(|_| directory.to_owned())
}
