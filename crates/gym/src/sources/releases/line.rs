//! The releases of a package backwards from one of them, as the registry that the user has configured knows them.

use crate::languages::Toolchains;
use crate::project::{Origin, Project};
use crate::sources::{SourceError, crates, layout, npm, pypi};
use crate::tree::{LayerStore, Tree};

/// Where releases come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registry {
    PyPi,
    Crates,
    Npm,
}

/// The releases of one package.
#[derive(Debug, Clone)]
pub struct Line {
    registry: Registry,
    /// Name of the package.
    pub name: String,
    /// The version to begin with.
    pub newest: String,
    toolchains: Toolchains,
    downloads: LayerStore,
}

/// Two releases of which the one is the next after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Version of the newer one.
    pub newer: String,
    /// Version of the one before it.
    pub older: String,
}

impl Line {
    /// The line of the release that a project came from; `None` when it came from no registry.
    pub fn of(origin: &Origin, toolchains: &Toolchains, downloads: &LayerStore) -> Option<Self> {
        let (registry, mark) = match origin.source.as_str() {
            "pypi" => (Registry::PyPi, "=="),
            "crate" => (Registry::Crates, "@"),
            "npm" => (Registry::Npm, "@"),
            _ => return None,
        };
        let (name, newest) = origin.locator.rsplit_once(mark)?;
        let (name, newest) = (name.to_owned(), newest.to_owned());
        Some(Self { registry, name, newest, toolchains: toolchains.clone(), downloads: downloads.clone() })
    }

    /// The release before a version, by the order of versions; pre-releases and what was taken back do not count.
    ///
    /// # Errors
    /// [`SourceError`] when there is none, or the registry cannot be asked.
    pub fn before(&self, version: &str) -> Result<Pair, SourceError> {
        let Self { name, toolchains, downloads, .. } = self;
        let older = match self.registry {
            Registry::PyPi => pypi::previous(name, version, &toolchains.python)?,
            Registry::Crates => crates::previous(name, version, toolchains, downloads)?,
            Registry::Npm => npm::previous(name, version, toolchains)?,
        };
        Ok(Pair { newer: version.to_owned(), older })
    }

    /// The newer release as a project, and the files of the older one.
    pub(super) fn open(&self, pair: &Pair) -> Result<(Project, Tree), SourceError> {
        let Self { name, toolchains, downloads, .. } = self;
        match self.registry {
            Registry::PyPi => {
                let newer = pypi::open_as_of(name, &pair.newer, &toolchains.python, downloads)?;
                Ok((newer, layout::read(&pypi::unpacked(name, &pair.older, &toolchains.python, downloads)?)?))
            }
            Registry::Crates => {
                let newer = crates::open(&format!("{name}@{}", pair.newer), toolchains, downloads)?;
                Ok((newer, crates::tree(&crates::unpacked(name, &pair.older, toolchains, downloads)?)?))
            }
            Registry::Npm => {
                let newer = npm::open(&format!("{name}@{}", pair.newer), toolchains, downloads)?;
                Ok((newer, layout::read(&npm::unpacked(name, &pair.older, toolchains, downloads)?)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_from_a_registry_has_a_line_of_releases() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = LayerStore::open(directory.path()).expect("opened");
        let python = crate::languages::python::Toolchain::discover(None, &[]).expect("this machine has python3");
        let line =
            |source: &str, locator: &str| Line::of(&Origin::new(source, locator), &python.clone().into(), &store);
        let known = |source, locator| line(source, locator).map(|line| (line.name, line.newest));
        let own = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(known("pypi", "six==1.17.0"), own("six", "1.17.0"));
        assert_eq!(known("npm", "@a/b@2.0.0"), own("@a/b", "2.0.0"));
        assert_eq!(known("crate", "strsim@0.11.1"), own("strsim", "0.11.1"));
        assert_eq!(known("git", "file:///x"), None);
    }
}
