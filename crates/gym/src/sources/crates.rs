//! A Rust crate, from a local directory or from the registry that cargo is configured for. Nothing of it is run.

use std::path::{Path, PathBuf};

use super::{Find, SourceError};
use crate::languages::Toolchains;
use crate::languages::rust::manifest::with_found_targets;
use crate::languages::rust::{self, Manifest, Toolchain};
use crate::project::{Origin, Project, RunnerKind, TestSetup};
use crate::tree::{LayerStore, Tree};

/// What is no part of a crate: version control, results of builds, and configuration of cargo, which could run programs.
const SKIPPED: [&str; 5] = [".git", ".hg", ".cargo", "target", ".cargo-checksum.json"];
/// Longer files are data, not source.
const LONGEST_FILE: u64 = 4 << 20;

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
    let find = Find { folder: name.to_owned(), origin, before: None };
    made(tree(&directory)?, find, &toolchain, downloads)
}

/// The release before a version.
///
/// # Errors
/// [`SourceError`] when there is none.
pub(super) fn previous(
    name: &str,
    version: &str,
    toolchains: &Toolchains,
    downloads: &LayerStore,
) -> Result<String, SourceError> {
    let toolchain = Toolchain::discover(&toolchains.search_path)?;
    // What follows the version proper is no part of a requirement.
    let plain = version.split('+').next().unwrap_or(version);
    Ok(rust::fetch_crate(downloads, &toolchain, name, &format!("<{plain}"))?.1)
}

/// The directory of a version.
///
/// # Errors
/// [`SourceError`] when it cannot be fetched.
pub(super) fn unpacked(
    name: &str,
    version: &str,
    toolchains: &Toolchains,
    downloads: &LayerStore,
) -> Result<PathBuf, SourceError> {
    let toolchain = Toolchain::discover(&toolchains.search_path)?;
    Ok(rust::fetch_crate(downloads, &toolchain, name, &format!("={version}"))?.0)
}

/// The files of a directory, without results of builds and the like.
pub(super) fn tree(directory: &Path) -> std::io::Result<Tree> {
    let skipped = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let long = |data: std::fs::Metadata| data.is_file() && data.len() > LONGEST_FILE;
        SKIPPED.contains(&name) || directory.join(path).symlink_metadata().is_ok_and(long)
    };
    Tree::from_dir(directory, &skipped)
}

/// The project of a tree that was read from somewhere.
///
/// # Errors
/// [`SourceError`] when it is no single package, or has no tests.
pub(super) fn project(
    tree: Tree,
    find: Find,
    toolchains: &Toolchains,
    scratch: &LayerStore,
) -> Result<Project, SourceError> {
    made(tree, find, &Toolchain::discover(&toolchains.search_path)?, scratch)
}

fn made(mut tree: Tree, find: Find, toolchain: &Toolchain, scratch: &LayerStore) -> Result<Project, SourceError> {
    for folder in SKIPPED {
        tree.remove_below(folder, &|_| false);
    }
    let malformed = |reason: &str| SourceError::Malformed { path: "Cargo.toml".to_owned(), reason: reason.to_owned() };
    let text = with_found_targets(tree.text("Cargo.toml").ok_or_else(|| malformed("it is not text"))?);
    tree.insert("Cargo.toml", text.clone());
    let manifest = Manifest::read(&text)?;
    let (lock, before) = match tree.text("Cargo.lock") {
        Some(lock) => (lock.to_owned(), find.before),
        None => rust::resolve(scratch, toolchain, &text, find.before.as_deref())?,
    };
    tree.insert("Cargo.lock", lock.clone());
    let files = rust::test_files(&tree);
    if files.is_empty() {
        return Err(SourceError::NoRustTests(manifest.name));
    }
    let (import_roots, requirements) = (Vec::new(), vec![text, lock]);
    let tests = TestSetup { runner: RunnerKind::Cargo, files, import_roots, requirements, before };
    let origin = Origin { licence: manifest.licence, ..find.origin };
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
