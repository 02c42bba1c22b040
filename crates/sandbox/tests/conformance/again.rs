//! This program once more, as an ordinary user, whose id belongs to nobody.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A copy of this program in an open place: the original may lie below a directory that only root may enter.
pub(crate) struct Again {
    place: TempDir,
    program: PathBuf,
}

impl Again {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).expect("opened");
        let program = place.path().join("suite");
        // Another process writes it. What other tests start meanwhile would hold on to a descriptor of this one for a moment, and no
        // file is executed that is open for writing.
        let original = format!("/proc/{}/exe", std::process::id());
        let copied = Command::new("cp").arg(original).arg(&program).status().expect("cp is there");
        assert!(copied.success(), "cp: {copied}");
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("made executable");
        Self { place, program }
    }

    /// Where everybody may write.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    /// Runs tests, which must succeed: what they printed.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, user: u32, arguments: &[&str], variables: &[(&str, S)]) -> String {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("TMPDIR", self.place())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .uid(user)
            .gid(user)
            .output()
            .expect("started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("running 0 tests"));
        text
    }
}
