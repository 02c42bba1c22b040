//! Finds a Python interpreter and says what of the host a sandbox must show to run it.
//!
//! Programs called `python3` may be shell scripts (pyenv) or belong to a virtual environment, so the interpreter itself is
//! asked where it really is. This module reads no environment variables: callers hand in the search path.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::PythonError;

const OLDEST: (u32, u32) = (3, 9);
const WELL_KNOWN: [&str; 2] = ["/usr/bin/python3", "/usr/local/bin/python3"];

/// Asks for facts, one per line. A virtual environment answers with the interpreter that it was made from.
const PROBE: &str = "\
import os, site, sys
print(sys.implementation.name)
print('%d.%d.%d' % sys.version_info[:3])
print(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable))
print(os.path.realpath(sys.base_prefix))
print(os.path.realpath(sys.base_exec_prefix))
for path in site.getsitepackages([sys.base_prefix, sys.base_exec_prefix]):
    if os.path.isdir(path):
        print(os.path.realpath(path))";

/// A CPython interpreter on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The real executable; no link, no script.
    pub executable: PathBuf,
    /// Its version, for example `3.11.7`.
    pub version: String,
    /// Host directories outside `/usr` that a sandbox must show read-only at the same place, outermost only.
    pub host_directories: Vec<PathBuf>,
    /// Where packages are installed for this interpreter; a sandbox must not show what is in them.
    pub site_directories: Vec<PathBuf>,
}

impl Toolchain {
    /// Finds an interpreter: `explicit` if given, else the first usable `python3` of `search_path` and of the usual places.
    ///
    /// # Errors
    /// [`PythonError`] when the given one is not usable, or when there is none.
    pub fn discover(explicit: Option<&Path>, search_path: &[PathBuf]) -> Result<Self, PythonError> {
        if let Some(path) = explicit {
            return Self::probe(path);
        }
        let mut unusable = None;
        for candidate in candidates(search_path) {
            match Self::probe(&candidate) {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => unusable = unusable.or(Some(error)),
            }
        }
        Err(unusable.unwrap_or_else(|| PythonError::NotFound { looked: looked(search_path) }))
    }

    /// Asks one program.
    fn probe(path: &Path) -> Result<Self, PythonError> {
        let unusable = |reason: String| PythonError::Unusable { path: path.to_owned(), reason };
        let output =
            Command::new(path).args(["-I", "-S", "-c", PROBE]).output().map_err(|error| unusable(error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let ["cpython", version, executable, prefix, exec_prefix, ref sites @ ..] = lines[..] else {
            return Err(unusable(
                first_line(&output.stderr).unwrap_or_else(|| "it does not answer as CPython does".to_owned()),
            ));
        };
        if parse_version(version) < Some(OLDEST) {
            return Err(PythonError::TooOld { path: path.to_owned(), version: version.to_owned() });
        }
        let executable = PathBuf::from(executable);
        let mut directories: Vec<PathBuf> = [prefix, exec_prefix].into_iter().map(PathBuf::from).collect();
        directories.extend(executable.parent().map(Path::to_owned));
        let mut site_directories: Vec<PathBuf> = sites.iter().map(PathBuf::from).collect();
        site_directories.sort();
        site_directories.dedup();
        let version = version.to_owned();
        Ok(Self { executable, version, host_directories: outermost(directories), site_directories })
    }
}

fn candidates(search_path: &[PathBuf]) -> Vec<PathBuf> {
    let named = search_path.iter().map(|directory| directory.join("python3"));
    named.chain(WELL_KNOWN.map(PathBuf::from)).filter(|path| path.is_file()).collect()
}

fn looked(search_path: &[PathBuf]) -> String {
    let named = search_path.iter().map(|directory| directory.join("python3").display().to_string());
    let all: Vec<String> = named.chain(WELL_KNOWN.map(str::to_owned)).collect();
    all.join(", ")
}

/// The directories that are not part of `/usr` and not inside another one of them.
fn outermost(directories: Vec<PathBuf>) -> Vec<PathBuf> {
    // Everything in a Nix store is linked with other parts of it.
    let widened = directories.into_iter().map(|path| match path.starts_with("/nix/store") {
        true => PathBuf::from("/nix/store"),
        false => path,
    });
    let mut outside: Vec<PathBuf> = widened.filter(|path| !is_system(path)).collect();
    outside.sort();
    outside.dedup_by(|path, outer| path.starts_with(&*outer));
    outside
}

/// Whether every sandbox shows the directory anyway.
fn is_system(path: &Path) -> bool {
    ["/usr", "/bin", "/lib", "/lib64"].iter().any(|system| path.starts_with(system)) || path == Path::new("/")
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn first_line(bytes: &[u8]) -> Option<String> {
    String::from_utf8_lossy(bytes).lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_below_usr_and_inside_others_need_no_mount() {
        let paths =
            ["/opt/python/bin", "/opt/python", "/usr", "/usr/bin", "/nix/store/x-python"].map(PathBuf::from).to_vec();
        assert_eq!(outermost(paths), [PathBuf::from("/nix/store"), PathBuf::from("/opt/python")]);
    }

    #[test]
    fn a_machine_without_python_gets_told_where_was_looked() {
        let error = PythonError::NotFound { looked: looked(&[PathBuf::from("/nowhere")]) };
        assert!(error.to_string().starts_with("no python3 found in /nowhere/python3, /usr/bin/python3"), "{error}");
    }

    #[test]
    fn a_program_that_is_no_interpreter_is_refused_by_name() {
        let error = Toolchain::discover(Some(Path::new("/bin/true")), &[]).expect_err("true is no interpreter");
        assert!(error.to_string().contains("`/bin/true` is not a usable CPython"), "{error}");
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(parse_version("3.10.2") > Some(OLDEST) && parse_version("3.8.19") < Some(OLDEST));
    }
}
