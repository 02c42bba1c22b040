//! A project from the registry of npm: the archive of one version, fetched once and unpacked without running anything of it.
//!
//! npm itself fetches it, with the registry, certificates and proxies that the user has configured. Most packages are published without
//! their tests; then there is nothing to make tasks from, and the error says so.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Find, SourceError, javascript, layout};
use crate::languages::Toolchains;
use crate::languages::javascript::Toolchain;
use crate::project::{Origin, Project};
use crate::tree::{LayerStore, Tree};

/// Longer files are data, not source.
const LONGEST_FILE: u64 = 4 << 20;
/// Longer archives are not unpacked to their end.
const LONGEST_ARCHIVE: u64 = 256 << 20;
/// Files of an archive.
const MOST_FILES: usize = 20_000;

/// Opens `name` (its newest release) or `name@version`. A version that was fetched before needs no network.
///
/// # Errors
/// [`SourceError`] when the package cannot be fetched, or has no tests in it.
pub fn open(requirement: &str, toolchains: &Toolchains, downloads: &LayerStore) -> Result<Project, SourceError> {
    let failed = |reason: String| SourceError::FetchNpm { requirement: requirement.to_owned(), reason };
    let (name, version) = parse(requirement).ok_or_else(|| SourceError::NpmRequirement(requirement.to_owned()))?;
    let version = match version {
        Some(version) => version.to_owned(),
        None => newest(&npm(toolchains).map_err(failed)?, name).map_err(failed)?,
    };
    let unpacked = unpacked(name, &version, toolchains, downloads)?;
    let origin = Origin::new("npm", format!("{name}@{version}"));
    let find = Find { folder: name.to_owned(), origin, before: None };
    javascript::project(layout::read(&unpacked)?, find, toolchains, downloads)
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
    let wanted = format!("{name}@{version}");
    let key = format!("npm-archive-{}-{version}", name.replace(['/', '@'], "+"));
    let fill = |directory: &Path| fetch(&npm(toolchains).map_err(std::io::Error::other)?, &wanted, directory);
    let failed =
        |error: std::io::Error| SourceError::FetchNpm { requirement: wanted.clone(), reason: error.to_string() };
    downloads.build(&key, &fill).map_err(failed)
}

/// The release before a version.
///
/// # Errors
/// [`SourceError`] when there is none.
pub(super) fn previous(name: &str, version: &str, toolchains: &Toolchains) -> Result<String, SourceError> {
    let wanted = format!("{name}@<{version}");
    let failed = |reason: String| SourceError::FetchNpm { requirement: wanted.clone(), reason };
    let npm = npm(toolchains).map_err(failed)?;
    let text = run(Command::new(npm).args(["view", &wanted, "version", "--json"])).map_err(failed)?;
    let newest = all(&text).into_iter().filter_map(|version| Some((order(&version)?, version))).max();
    newest.map(|(_, version)| version).ok_or_else(|| failed("there is no release before it".to_owned()))
}

/// What npm answers: nothing, a version, or several.
fn all(text: &str) -> Vec<String> {
    match serde_json::from_str(text.trim()) {
        Ok(serde_json::Value::String(version)) => vec![version],
        Ok(serde_json::Value::Array(list)) => {
            list.iter().filter_map(|version| version.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// The three numbers of a release; `None` for what comes before one.
fn order(version: &str) -> Option<[u64; 3]> {
    let plain = version.split('+').next()?;
    let numbers: Vec<u64> = plain.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn npm(toolchains: &Toolchains) -> Result<PathBuf, String> {
    let toolchain = Toolchain::discover(&toolchains.search_path).map_err(|error| error.to_string())?;
    toolchain.npm.ok_or_else(|| format!("no npm beside `{}`; install npm", toolchain.executable.display()))
}

/// Name and version, if they are written as npm writes them.
fn parse(requirement: &str) -> Option<(&str, Option<&str>)> {
    let at = requirement.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
    let (name, version) = match at {
        Some(at) => (&requirement[..at], Some(&requirement[at + 1..])),
        None => (requirement, None),
    };
    let plain = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.+".contains(letter))
    };
    let is_name = match name.strip_prefix('@').map(|rest| rest.split_once('/')) {
        Some(parts) => parts.is_some_and(|(scope, name)| plain(scope) && plain(name)),
        None => plain(name),
    };
    let is_exact = |version: &str| plain(version) && version.starts_with(|first: char| first.is_ascii_digit());
    (is_name && version.is_none_or(is_exact)).then_some((name, version))
}

fn newest(npm: &Path, name: &str) -> Result<String, String> {
    let text = run(Command::new(npm).args(["view", name, "version", "--json"]))?;
    let version: String =
        serde_json::from_str(text.trim()).map_err(|error| format!("npm answers {text:?}: {error}"))?;
    Some(version)
        .filter(|version| parse(&format!("a@{version}")).is_some())
        .ok_or_else(|| "npm names no version".into())
}

/// Fetches an archive into `directory`, unpacks it there and drops it.
fn fetch(npm: &Path, specification: &str, directory: &Path) -> std::io::Result<()> {
    let mut command = Command::new(npm);
    command.args(["pack", specification, "--ignore-scripts", "--silent"]).current_dir(directory);
    run(&mut command).map_err(std::io::Error::other)?;
    let archive =
        std::fs::read_dir(directory)?.next().ok_or_else(|| std::io::Error::other("npm gave no archive"))??;
    let tree = unpack(std::fs::File::open(archive.path())?)?;
    std::fs::remove_file(archive.path())?;
    tree.write_to(directory)
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("npm: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => {
            let told = text(&output.stderr);
            let line = told
                .lines()
                .find(|line| line.contains("error") && !line.contains(" code ") && line.trim() != "npm error")
                .unwrap_or("npm fails");
            Err(line.trim().to_owned())
        }
    }
}

/// The regular files of an archive without its outermost folder; links and paths that lead elsewhere are left out.
fn unpack(archive: impl Read) -> std::io::Result<Tree> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(LONGEST_ARCHIVE));
    let mut tree = Tree::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((_, path)) = name.split_once('/') else { continue };
        let stays_inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let is_file = entry.header().entry_type().is_file();
        if !is_file || !stays_inside || path.contains(['\\', '\0']) || entry.size() > LONGEST_FILE {
            continue;
        }
        if tree.len() == MOST_FILES {
            return Err(std::io::Error::other(format!("the archive has more than {MOST_FILES} files")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        tree.insert(path, bytes);
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_exact_versions_are_understood() {
        assert_eq!(parse("p-limit@7.1.0"), Some(("p-limit", Some("7.1.0"))));
        assert_eq!(parse("@scope/name"), Some(("@scope/name", None)));
        for odd in ["", "../x", "a@^1", "a@latest", "--x", "@scope", "a b", "a@1 --x", "git+https://x"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn releases_are_ordered_by_their_numbers() {
        let newest = all(r#"["1.9.0", "1.10.0", "2.0.0-rc.1", "1.2.0"]"#).into_iter().max_by_key(|it| order(it));
        assert_eq!(newest.as_deref(), Some("1.10.0"));
        assert_eq!((all("\"1.0.0\"").len(), all("").len()), (1, 0));
    }

    #[test]
    fn an_archive_gives_regular_files_that_stay_inside() {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut add = |path: &str, kind: tar::EntryType, text: &[u8]| {
            let mut header = tar::Header::new_old();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(kind);
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text).expect("it fits");
        };
        add("package/lib/a.js", tar::EntryType::Regular, b"1");
        add("package/../../evil.js", tar::EntryType::Regular, b"2");
        add("package/link", tar::EntryType::Symlink, b"");
        add("/package/x.js", tar::EntryType::Regular, b"3");
        let bytes = builder.into_inner().expect("whole").finish().expect("whole");
        let tree = unpack(&bytes[..]).expect("an archive");
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["lib/a.js", "package/x.js"]);
    }
}
