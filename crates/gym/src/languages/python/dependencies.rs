//! Packages that tests need: resolved once, recorded as a lock, installed into a read-only layer.
//!
//! Only wheels are fetched and unpacked, so no code of any package runs on the host. The first resolution of some requirements is
//! kept; the layer is addressed by the lock that came out of it. How `pip` reaches its index is the user's configuration of `pip`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{PythonError, Toolchain};
use crate::tree::LayerStore;

/// What runs the tests; always installed.
const RUNNER: &str = "pytest";
const LOCK_FILE: &str = "lock.txt";
/// `pip` with what its index had before a date.
const INDEX_BEFORE: &str = include_str!("index_before.py");

/// What `pip` resolved: one `name==version --hash=sha256:…` per line, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock(pub Vec<String>);

/// The layer with pytest and `requirements`, as they were `before` a date, and its lock. Needs the network only when the layer is not there.
///
/// # Errors
/// [`PythonError`] when the interpreter has no `pip`, or a requirement has no wheel for it.
pub fn install(
    store: &LayerStore,
    toolchain: &Toolchain,
    requirements: &[String],
    before: Option<&str>,
) -> Result<(PathBuf, Lock), PythonError> {
    let wanted = wanted(requirements)?;
    let before = before.map(|date| date.to_owned().max(first_packages(toolchain)));
    let key = |prefix: &str, lines: &[String]| {
        let text = format!("{} {}\n{}", toolchain.executable.display(), toolchain.version, lines.join("\n"));
        format!("{prefix}-{}", &blake3::hash(text.as_bytes()).to_hex()[..32])
    };
    let asked: Vec<String> = wanted.iter().cloned().chain(before.iter().map(|date| format!("before {date}"))).collect();
    let resolve = |directory: &Path| resolve(toolchain, &wanted, before.as_deref(), directory);
    let resolved = build(store, &key("lock", &asked), &resolve)?;
    let text = std::fs::read_to_string(resolved.join(LOCK_FILE))?;
    let lock = Lock(text.lines().map(str::to_owned).collect());
    let unpack = |directory: &Path| unpack(toolchain, &wanted, &resolved.join(LOCK_FILE), directory);
    let layer = build(store, &key("packages", &lock.0), &unpack)?;
    Ok((layer, lock))
}

/// From when on packages fit an interpreter: before that, nothing was made for it. Since 3.9 a version appears every October.
fn first_packages(toolchain: &Toolchain) -> String {
    let minor = toolchain.version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap_or_default();
    format!("{}-01-01", 2012 + minor)
}

/// The requirements with pytest, sorted. Only names with versions and extras: an address could hold anything.
fn wanted(requirements: &[String]) -> Result<Vec<String>, PythonError> {
    let mut wanted: Vec<String> = requirements.iter().map(|line| line.trim().to_owned()).collect();
    if let Some(odd) =
        wanted.iter().find(|line| !line.starts_with(|first: char| first.is_ascii_alphanumeric()) || line.contains('@'))
    {
        return Err(PythonError::Requirements {
            requirements: vec![odd.clone()],
            reason: "expected a package name with an optional version, not an option or an address".to_owned(),
        });
    }
    wanted.push(RUNNER.to_owned());
    wanted.sort();
    wanted.dedup();
    Ok(wanted)
}

/// [`LayerStore::build`] with errors of this module.
fn build(
    store: &LayerStore,
    key: &str,
    fill: &dyn Fn(&Path) -> Result<(), PythonError>,
) -> Result<PathBuf, PythonError> {
    let failure = std::cell::RefCell::new(None);
    let layer = store.build(key, &|directory| {
        fill(directory).map_err(|error| {
            let message = std::io::Error::other(error.to_string());
            failure.replace(Some(error));
            message
        })
    });
    layer.map_err(|error| failure.take().unwrap_or(PythonError::Io(error)))
}

/// Asks `pip` for versions and hashes, and writes the lock.
fn resolve(
    toolchain: &Toolchain,
    wanted: &[String],
    before: Option<&str>,
    directory: &Path,
) -> Result<(), PythonError> {
    let report = directory.join("report.json");
    let mut command = pip(toolchain, before);
    command
        .args(["--dry-run", "--ignore-installed", "--target"])
        .arg(directory)
        .arg("--report")
        .arg(&report)
        .arg("--")
        .args(wanted);
    run(command, toolchain, wanted)?;
    let lines = lock_lines(&std::fs::read(&report)?).ok_or_else(|| PythonError::NoInstaller {
        path: toolchain.executable.clone(),
        reason: "its report has no versions and hashes".to_owned(),
    })?;
    std::fs::remove_file(&report)?;
    Ok(std::fs::write(directory.join(LOCK_FILE), lines.join("\n"))?)
}

/// Installs exactly what is locked.
fn unpack(toolchain: &Toolchain, wanted: &[String], lock: &Path, directory: &Path) -> Result<(), PythonError> {
    let mut command = pip(toolchain, None);
    command.args(["--no-deps", "--require-hashes", "--target"]).arg(directory).arg("--requirement").arg(lock);
    run(command, toolchain, wanted)
}

fn pip(toolchain: &Toolchain, before: Option<&str>) -> Command {
    let mut command = Command::new(&toolchain.executable);
    match before {
        Some(date) => command.args(["-I", "-c", INDEX_BEFORE, date]),
        None => command.args(["-I", "-m", "pip"]),
    };
    command.args(["install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    command.args(["--no-warn-script-location", "--only-binary", ":all:"]);
    command
}

fn run(mut command: Command, toolchain: &Toolchain, wanted: &[String]) -> Result<(), PythonError> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("No module named pip") || text.contains("no such option") {
        let reason = text.lines().last().unwrap_or_default().to_owned();
        return Err(PythonError::NoInstaller { path: toolchain.executable.clone(), reason });
    }
    let errors: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("ERROR: ")).collect();
    let reason = if errors.is_empty() { text.trim().to_owned() } else { errors.join("; ") };
    Err(PythonError::Requirements { requirements: wanted.to_vec(), reason })
}

#[derive(Deserialize)]
struct Report {
    install: Vec<Installed>,
}

#[derive(Deserialize)]
struct Installed {
    metadata: Metadata,
    download_info: DownloadInfo,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct DownloadInfo {
    archive_info: ArchiveInfo,
}

/// Both spellings that `pip` has used.
#[derive(Deserialize)]
struct ArchiveInfo {
    hash: Option<String>,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

fn lock_lines(report: &[u8]) -> Option<Vec<String>> {
    let report: Report = serde_json::from_slice(report).ok()?;
    let mut lines: Vec<String> = report.install.iter().map(lock_line).collect::<Option<_>>()?;
    lines.sort();
    Some(lines)
}

fn lock_line(installed: &Installed) -> Option<String> {
    let archive = &installed.download_info.archive_info;
    let old = || archive.hash.as_ref()?.strip_prefix("sha256=").map(str::to_owned);
    let hash = archive.hashes.get("sha256").cloned().or_else(old)?;
    Some(format!("{}=={} --hash=sha256:{hash}", installed.metadata.name, installed.metadata.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_names_with_versions_and_never_options_or_addresses() {
        assert_eq!(wanted(&["six>=1".to_owned()]).expect("a name"), ["pytest", "six>=1"]);
        for odd in ["--index-url=http://x", "a @ git+https://x/a", "./here", "-e ."] {
            let error = wanted(&[odd.to_owned()]).expect_err("no name");
            assert!(error.to_string().contains(odd), "{error}");
        }
    }

    #[test]
    fn the_lock_has_versions_and_hashes_in_both_spellings() {
        let report = br#"{"install":[
            {"metadata":{"name":"b","version":"2"},"download_info":{"archive_info":{"hash":"sha256=22"}}},
            {"metadata":{"name":"a","version":"1"},"download_info":{"archive_info":{"hashes":{"sha256":"11"}}}}]}"#;
        assert_eq!(lock_lines(report).expect("a report"), ["a==1 --hash=sha256:11", "b==2 --hash=sha256:22"]);
    }
}
