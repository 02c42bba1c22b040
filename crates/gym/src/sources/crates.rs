//! A Rust crate, from a local directory or from the registry that cargo is configured for. Nothing of it is run.

use std::path::Path;

use super::SourceError;
use crate::languages::Toolchains;
use crate::languages::rust::manifest::with_found_targets;
use crate::languages::rust::{self, Manifest, Toolchain};
use crate::project::{Origin, Project, RunnerKind, TestSetup};
use crate::tree::{LayerStore, Tree};

/// What is no part of a crate: version control, results of builds, and configuration of cargo, which could run programs.
const SKIPPED: [&str; 5] = [".git", ".hg", ".cargo", "target", ".cargo-checksum.json"];
/// Longer files are data, not source.
const LONGEST_FILE: u64 = 4 << 20;

/// Whether a directory is a Rust crate, and no Python project that has one inside.
pub(super) fn is_crate(directory: &Path) -> bool {
    is_manifest_alone(&|name| directory.join(name).is_file())
}

/// The same, by the names of the files at the top.
pub(super) fn is_manifest_alone(has: &dyn Fn(&str) -> bool) -> bool {
    has("Cargo.toml") && !has("pyproject.toml") && !has("setup.py")
}

/// Opens `name` (its newest release) or `name@version`. A version that was fetched before needs no network.
///
/// # Errors
/// [`SourceError`] when the crate cannot be fetched, or has no tests in it.
pub fn open(requirement: &str, toolchains: &Toolchains, downloads: &LayerStore) -> Result<Project, SourceError> {
    let (name, version) = requirement.split_once('@').unwrap_or((requirement, "*"));
    let plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.+".contains(letter));
    if name.is_empty() || !plain(name) || version.is_empty() || version != "*" && !plain(version) {
        return Err(SourceError::Crate(requirement.to_owned()));
    }
    let toolchain = Toolchain::discover(&toolchains.search_path)?;
    let wanted = if version == "*" { version.to_owned() } else { format!("={version}") };
    let (directory, version) = rust::fetch_crate(downloads, &toolchain, name, &wanted)?;
    let origin = Origin::new("crate", format!("{name}@{version}"));
    read(&directory, origin, &toolchain, downloads)
}

/// Reads a crate from a local directory.
///
/// # Errors
/// [`SourceError`] when it is no single package, or has no tests.
pub(super) fn open_path(
    directory: &Path,
    toolchains: &Toolchains,
    downloads: &LayerStore,
) -> Result<Project, SourceError> {
    let toolchain = Toolchain::discover(&toolchains.search_path)?;
    let origin = Origin::new("path", directory.display().to_string());
    read(directory, origin, &toolchain, downloads)
}

fn read(
    directory: &Path,
    origin: Origin,
    toolchain: &Toolchain,
    downloads: &LayerStore,
) -> Result<Project, SourceError> {
    let skipped = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let long = |data: std::fs::Metadata| data.is_file() && data.len() > LONGEST_FILE;
        SKIPPED.contains(&name) || directory.join(path).symlink_metadata().is_ok_and(long)
    };
    project(Tree::from_dir(directory, &skipped)?, origin, toolchain, downloads)
}

/// The project of a tree that was read from somewhere.
///
/// # Errors
/// [`SourceError`] when it is no single package, or has no tests.
pub(super) fn of_tree(
    mut tree: Tree,
    origin: Origin,
    toolchains: &Toolchains,
    downloads: &LayerStore,
) -> Result<Project, SourceError> {
    for folder in SKIPPED {
        tree.remove_below(folder, &|_| false);
    }
    project(tree, origin, &Toolchain::discover(&toolchains.search_path)?, downloads)
}

fn project(
    mut tree: Tree,
    origin: Origin,
    toolchain: &Toolchain,
    downloads: &LayerStore,
) -> Result<Project, SourceError> {
    let malformed = |reason: &str| SourceError::Malformed { path: "Cargo.toml".to_owned(), reason: reason.to_owned() };
    let text = with_found_targets(tree.text("Cargo.toml").ok_or_else(|| malformed("it is not text"))?);
    tree.insert("Cargo.toml", text.clone());
    let manifest = Manifest::read(&text)?;
    let lock = match tree.text("Cargo.lock") {
        Some(lock) => lock.to_owned(),
        None => rust::resolve(downloads, toolchain, &text)?,
    };
    tree.insert("Cargo.lock", lock.clone());
    let files = rust::test_files(&tree);
    if files.is_empty() {
        return Err(SourceError::NoRustTests(manifest.name));
    }
    let (import_roots, requirements) = (Vec::new(), vec![text, lock]);
    let tests = TestSetup { runner: RunnerKind::Cargo, files, import_roots, requirements, before: None };
    let origin = Origin { licence: manifest.licence, ..origin };
    Ok(Project { name: manifest.name, version: manifest.version, tree, tests, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_exact_versions_are_understood() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = LayerStore::open(directory.path()).expect("opened");
        let python = crate::languages::python::Toolchain::discover(None, &[]).expect("this machine has python3");
        for odd in ["", "../x", "a@", "a@>=1", "a b"] {
            let error = open(odd, &python.clone().into(), &store).expect_err("odd").to_string();
            assert!(error.contains("`crate:<name>`"), "{error}");
        }
    }
}
