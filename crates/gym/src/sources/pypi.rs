//! A project from the package index: the source distribution of one version, fetched once and unpacked without running it.
//!
//! The interpreter's own libraries fetch it, with the index, certificates and proxies that the user's `pip` is configured for.

use std::path::Path;
use std::process::Command;

use super::{SourceError, metadata, path};
use crate::languages::python::Toolchain;
use crate::project::{Origin, Project};
use crate::tree::LayerStore;

const FETCH: &str = include_str!("fetch_sdist.py");

/// Opens `name` (its newest release that fits the interpreter) or `name==version`. A version that was fetched before needs no
/// network.
///
/// # Errors
/// [`SourceError`] when the package has no source distribution, cannot be fetched, or has no tests in it.
pub fn open(requirement: &str, toolchain: &Toolchain, downloads: &LayerStore) -> Result<Project, SourceError> {
    let (name, version) = parse(requirement)?;
    let failed = |reason: String| SourceError::Fetch { requirement: requirement.to_owned(), reason };
    let version = match version {
        Some(version) => version,
        None => fetch(toolchain, &name, "", None).map_err(failed)?,
    };
    let unpacked = downloads
        .build(&format!("sdist-{name}-{version}"), &|directory| {
            fetch(toolchain, &name, &version, Some(directory)).map(|_| ()).map_err(std::io::Error::other)
        })
        .map_err(|error| failed(error.to_string()))?;
    let origin = Origin::new("pypi", format!("{name}=={version}"));
    path::read(&unpacked, origin)
}

/// The normal name of the package and the version, if one is asked for.
fn parse(requirement: &str) -> Result<(String, Option<String>), SourceError> {
    let plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.+!".contains(letter));
    let (name, version) = match requirement.split_once("==") {
        Some((name, version)) => (name.trim(), Some(version.trim())),
        None => (requirement.trim(), None),
    };
    let starts_well = |text: &str| text.starts_with(|first: char| first.is_ascii_alphanumeric()) && plain(text);
    match starts_well(name) && version.is_none_or(starts_well) {
        true => Ok((metadata::normal(name), version.map(str::to_owned))),
        false => Err(SourceError::Requirement(requirement.to_owned())),
    }
}

/// Finds the source distribution and unpacks it into `directory`, if there is one; gives its version.
fn fetch(toolchain: &Toolchain, name: &str, version: &str, directory: Option<&Path>) -> Result<String, String> {
    let mut command = Command::new(&toolchain.executable);
    command.args(["-I", "-c", FETCH, name, version]).arg(directory.unwrap_or(Path::new("")));
    let output = command.output().map_err(|error| format!("`{}`: {error}", toolchain.executable.display()))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match (output.status.success(), stdout.trim().split('\t').nth(1)) {
        (true, Some(found)) => Ok(found.to_owned()),
        _ => Err(stderr.trim().lines().last().unwrap_or("nothing was said").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_exact_versions_are_understood() {
        assert_eq!(
            parse("More_Itertools==10.1").expect("good"),
            ("more-itertools".to_owned(), Some("10.1".to_owned()))
        );
        assert_eq!(parse("six").expect("good"), ("six".to_owned(), None));
        for odd in ["", "../x", "six>=1", "six==", "-e .", "six==1 --x"] {
            assert!(parse(odd).expect_err("odd").to_string().contains("`pypi:<name>`"), "{odd}");
        }
    }
}
