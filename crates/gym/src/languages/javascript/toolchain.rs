//! Finds node and says what of the host a sandbox must show to run it.
//!
//! Programs called `node` may be links or scripts of version managers, so the program itself is asked where it really is. This module
//! reads no environment variables: callers hand in the search path.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::JavaScriptError;

/// The oldest major version whose `node:test` reports what is needed here.
const OLDEST: u32 = 20;
const WELL_KNOWN: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// A node on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The real executable; no link, no script.
    pub executable: PathBuf,
    /// Its version, for example `20.20.2`.
    pub version: String,
    /// Host directories outside `/usr` that a sandbox must show read-only at the same place.
    pub host_directories: Vec<PathBuf>,
    /// The program that fetches packages, if it is there.
    pub npm: Option<PathBuf>,
}

impl Toolchain {
    /// Finds the first usable `node` of `search_path` and of the usual places.
    ///
    /// # Errors
    /// [`JavaScriptError`] when there is none that is usable.
    pub fn discover(search_path: &[PathBuf]) -> Result<Self, JavaScriptError> {
        let mut unusable = None;
        let directories: Vec<PathBuf> = search_path.iter().cloned().chain(WELL_KNOWN.map(PathBuf::from)).collect();
        for directory in directories.iter().filter(|directory| directory.join("node").is_file()) {
            match Self::probe(directory) {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => unusable = unusable.or(Some(error)),
            }
        }
        let looked = || directories.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        Err(unusable.unwrap_or_else(|| JavaScriptError::NotFound { looked: looked() }))
    }

    /// Asks the program called `node` in a directory.
    fn probe(directory: &Path) -> Result<Self, JavaScriptError> {
        let path = directory.join("node");
        let unusable = |reason: &str| JavaScriptError::Unusable { path: path.clone(), reason: reason.to_owned() };
        let output = Command::new(&path)
            .args(["-p", "process.versions.node + '\\n' + require('fs').realpathSync(process.execPath)"])
            .env_remove("NODE_OPTIONS")
            .output()
            .map_err(|error| unusable(&error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = text.lines();
        let (Some(version), Some(executable)) = (lines.next(), lines.next()) else {
            return Err(unusable("it does not answer as node does"));
        };
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
        if major < OLDEST {
            return Err(JavaScriptError::TooOld { path, version: version.to_owned() });
        }
        let executable = PathBuf::from(executable);
        let npm = [Some(directory), executable.parent()].into_iter().flatten().map(|it| it.join("npm"));
        let npm = npm.into_iter().find(|npm| npm.is_file());
        Ok(Self { host_directories: outside(&executable), version: version.to_owned(), npm, executable })
    }
}

/// The installation around an executable, unless every sandbox shows it anyway.
fn outside(executable: &Path) -> Vec<PathBuf> {
    let is_shown = ["/usr", "/bin", "/lib"].iter().any(|system| executable.starts_with(system));
    let around = match executable.starts_with("/nix/store") {
        // Everything in a Nix store is linked with other parts of it.
        true => Some(Path::new("/nix/store")),
        false => executable.parent().map(|bin| bin.parent().filter(|it| *it != Path::new("/")).unwrap_or(bin)),
    };
    around.filter(|_| !is_shown).map(Path::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_outside_usr_is_shown_as_a_whole() {
        assert_eq!(outside(Path::new("/opt/node/bin/node")), [PathBuf::from("/opt/node")]);
        assert_eq!(outside(Path::new("/nix/store/x/bin/node")), [PathBuf::from("/nix/store")]);
        assert_eq!(outside(Path::new("/usr/bin/node")), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_program_that_is_no_node_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::os::unix::fs::symlink("/bin/true", directory.path().join("node")).expect("a link");
        let error = Toolchain::probe(directory.path()).expect_err("true is no node").to_string();
        assert!(error.contains("node` is not a usable node"), "{error}");
    }
}
