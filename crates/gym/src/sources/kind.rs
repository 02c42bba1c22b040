//! Which language a project is written in, as its manifest says. Nothing else decides it.

use std::path::Path;

use super::{SourceError, crates, javascript, layout, python};
use crate::languages::{Language, Toolchains, javascript::JavaScript, python::Python, rust::Rust};
use crate::project::{Origin, Project};
use crate::tree::{LayerStore, Tree};

/// What a project is, by its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rust,
    JavaScript,
    Python,
}

/// What a tree does not say about itself.
pub struct Find {
    /// A name where the project states none.
    pub folder: String,
    /// Where the tree came from; its licence is read from the tree.
    pub origin: Origin,
    /// A date such as `2024-06-01`: packages that were published on it or later are not used, where the registry says when that was.
    pub before: Option<String>,
}

impl Kind {
    /// By the names of the files at the top.
    pub(super) fn of(has: &dyn Fn(&str) -> bool) -> Self {
        let is_python = has("pyproject.toml") || has("setup.py");
        match () {
            () if has("Cargo.toml") && !is_python => Self::Rust,
            () if has("package.json") && !is_python && !has("setup.cfg") => Self::JavaScript,
            () => Self::Python,
        }
    }

    /// The files of a directory, without what tools leave behind.
    fn read(self, directory: &Path) -> std::io::Result<Tree> {
        match self {
            Self::Rust => crates::tree(directory),
            Self::JavaScript | Self::Python => layout::read(directory),
        }
    }

    fn language(self) -> &'static dyn Language {
        match self {
            Self::Rust => &Rust,
            Self::JavaScript => &JavaScript,
            Self::Python => &Python,
        }
    }
}

/// The language of the project that a tree is.
pub fn language(tree: &Tree) -> &'static dyn Language {
    Kind::of(&|name| tree.contains(name)).language()
}

/// The project that a tree is.
///
/// # Errors
/// [`SourceError`] when it is none with tests, or what it depends on cannot be resolved.
pub fn project(tree: Tree, find: Find, toolchains: &Toolchains, scratch: &LayerStore) -> Result<Project, SourceError> {
    match Kind::of(&|name| tree.contains(name)) {
        Kind::Rust => crates::project(tree, find, toolchains, scratch),
        Kind::JavaScript => javascript::project(tree, find, toolchains, scratch),
        Kind::Python => python::project(tree, find),
    }
}

/// The project in a directory.
pub(super) fn read(
    directory: &Path,
    origin: Origin,
    toolchains: &Toolchains,
    scratch: &LayerStore,
) -> Result<Project, SourceError> {
    if !directory.is_dir() {
        return Err(SourceError::NotADirectory(directory.to_owned()));
    }
    let tree = Kind::of(&|name| directory.join(name).is_file()).read(directory)?;
    let folder = directory.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
    project(tree, Find { folder, origin, before: None }, toolchains, scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_decides_and_that_of_python_before_others() {
        let kind = |names: &[&str]| Kind::of(&|name| names.contains(&name));
        assert_eq!(kind(&["Cargo.toml", "package.json"]), Kind::Rust);
        assert_eq!(kind(&["package.json"]), Kind::JavaScript);
        assert_eq!(kind(&["pyproject.toml", "Cargo.toml", "package.json"]), Kind::Python);
        assert_eq!(kind(&["setup.cfg", "package.json"]), Kind::Python);
        assert_eq!(kind(&[]), Kind::Python);
    }
}
