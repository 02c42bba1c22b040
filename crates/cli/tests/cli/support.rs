//! Runs the program in an isolated world and turns what it did into text.

use std::path::Path;
use std::process::Command;

/// A module of two functions, of which one calls the other.
pub(crate) const MODULE: &str = "\
def cap_value(value, low, high):
    \"\"\"Return value, but at least low and at most high.\"\"\"
    if value < low:
        return low
    if value > high:
        return high
    return value


def total_capped(values, high):
    \"\"\"Return the sum of values, each at most high, plus 1.\"\"\"
    total = 1
    for value in values:
        total = total + cap_value(value, 0, high)
    return total
";

/// An empty directory in which the program runs.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The program with these arguments, in this world and with nothing of the environment of the tests but `PATH`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Exit code, standard output and standard error, with what differs between machines replaced.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.command(arguments).envs(environment.iter().copied()).output().unwrap();
        let code = output.status.code().map_or("killed".to_owned(), |code| code.to_string());
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        format!("exit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
            .replace(&self.path().display().to_string(), "WORLD")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
