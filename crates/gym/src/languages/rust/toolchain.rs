//! Finds a Rust toolchain and says what of the host a sandbox must show to run it.
//!
//! A program called `cargo` may be rustup's, which is of no use without a home directory, so that the compiler is asked where its
//! toolchain really is.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::RustError;

const WELL_KNOWN: [&str; 2] = ["/usr/local/bin", "/usr/bin"];

/// Cargo and a compiler on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The directory that the toolchain is installed in; `bin/cargo` is below.
    pub root: PathBuf,
    /// What the compiler calls itself, for example `rustc 1.95.0 (…)`.
    pub version: String,
}

impl Toolchain {
    /// The first usable toolchain of `search_path` and of the usual places.
    ///
    /// # Errors
    /// [`RustError`] when there is none.
    pub fn discover(search_path: &[PathBuf]) -> Result<Self, RustError> {
        let places = || search_path.iter().cloned().chain(WELL_KNOWN.map(PathBuf::from));
        let mut unusable = None;
        for place in places().filter(|place| place.join("cargo").is_file() && place.join("rustc").is_file()) {
            match Self::probe(&place.join("rustc")) {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => unusable = unusable.or(Some(error)),
            }
        }
        let looked = || places().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
        Err(unusable.unwrap_or_else(|| RustError::NotFound { looked: looked() }))
    }

    fn probe(rustc: &Path) -> Result<Self, RustError> {
        let unusable = |reason: String| RustError::Unusable { path: rustc.to_owned(), reason };
        // Not in a directory that chooses a toolchain.
        let ask = |argument: &[&str]| {
            let output = Command::new(rustc).args(argument).current_dir("/").output();
            let output = output.map_err(|error| unusable(error.to_string()))?;
            match output.status.success() {
                true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
                false => Err(unusable(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
            }
        };
        let toolchain = Self { root: PathBuf::from(ask(&["--print", "sysroot"])?), version: ask(&["--version"])? };
        match toolchain.cargo().is_file() {
            true => Ok(toolchain),
            false => Err(unusable(format!("there is no `{}`", toolchain.cargo().display()))),
        }
    }

    /// The real cargo.
    pub fn cargo(&self) -> PathBuf {
        self.root.join("bin/cargo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_compiler_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["cargo", "rustc"] {
            std::os::unix::fs::symlink("/bin/false", directory.path().join(name)).expect("linked");
        }
        let error = Toolchain::probe(&directory.path().join("rustc")).expect_err("false is no compiler");
        assert!(error.to_string().contains("rustc` is not usable"), "{error}");
    }
}
