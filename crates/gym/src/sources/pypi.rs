//! A project from the package index: the source distribution of one version, fetched once and unpacked without running it.
//!
//! The interpreter's own libraries fetch it, with the index, certificates and proxies that the user's `pip` is configured for.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Find, SourceError, layout, metadata, python};
use crate::calendar::month_after;
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
        None => fetch(toolchain, &name, "", None).map_err(failed)?.version,
    };
    let unpacked = unpacked(&name, &version, toolchain, downloads)?;
    project(&unpacked, name, &version, None)
}

/// A version with the packages that there were when it was published, if the index says when that was.
///
/// # Errors
/// As [`open`].
pub(super) fn open_as_of(
    name: &str,
    version: &str,
    toolchain: &Toolchain,
    downloads: &LayerStore,
) -> Result<Project, SourceError> {
    let failed = |reason: String| SourceError::Fetch { requirement: format!("{name}=={version}"), reason };
    let found = fetch(toolchain, name, version, None).map_err(failed)?;
    let unpacked = unpacked(name, version, toolchain, downloads)?;
    project(&unpacked, name.to_owned(), version, found.uploaded.as_deref().and_then(month_after))
}

fn project(unpacked: &Path, name: String, version: &str, before: Option<String>) -> Result<Project, SourceError> {
    let origin = Origin::new("pypi", format!("{name}=={version}"));
    python::project(layout::read(unpacked)?, Find { folder: name, origin, before })
}

/// The directory of a version.
///
/// # Errors
/// [`SourceError`] when it cannot be fetched.
pub(super) fn unpacked(
    name: &str,
    version: &str,
    toolchain: &Toolchain,
    downloads: &LayerStore,
) -> Result<PathBuf, SourceError> {
    let failed = |error: std::io::Error| SourceError::Fetch {
        requirement: format!("{name}=={version}"),
        reason: error.to_string(),
    };
    let fill =
        |directory: &Path| fetch(toolchain, name, version, Some(directory)).map(drop).map_err(std::io::Error::other);
    downloads.build(&format!("sdist-{name}-{version}"), &fill).map_err(failed)
}

/// The release before a version.
///
/// # Errors
/// [`SourceError`] when there is none.
pub(super) fn previous(name: &str, version: &str, toolchain: &Toolchain) -> Result<String, SourceError> {
    let failed = |reason: String| SourceError::Fetch { requirement: format!("{name}<{version}"), reason };
    Ok(fetch(toolchain, name, &format!("<{version}"), None).map_err(failed)?.version)
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

/// A source distribution of the index.
struct Found {
    version: String,
    /// When it was uploaded, such as `2024-05-17T…`, if the index says so.
    uploaded: Option<String>,
}

/// Finds the source distribution of a version, of the newest one for the empty text or of the newest one before `<version`, and unpacks it into `directory`, if there
/// is one.
fn fetch(toolchain: &Toolchain, name: &str, version: &str, directory: Option<&Path>) -> Result<Found, String> {
    let mut command = Command::new(&toolchain.executable);
    command.args(["-I", "-c", FETCH, name, version]).arg(directory.unwrap_or(Path::new("")));
    let output = command.output().map_err(|error| format!("`{}`: {error}", toolchain.executable.display()))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut words = stdout.trim_end_matches('\n').split('\t').skip(1).map(str::to_owned);
    match (output.status.success(), words.next()) {
        (true, Some(version)) => Ok(Found { version, uploaded: words.nth(1).filter(|time| !time.is_empty()) }),
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
