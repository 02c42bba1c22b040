//! The program `git`, started so that nothing but objects is read.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sources::SourceError;

/// What `git` takes from the environment that would lead it elsewhere.
const REMOVED: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_EXTERNAL_DIFF",
    "GIT_ATTR_SOURCE",
    "GIT_TEMPLATE_DIR",
];

/// How repositories may be reached; everything else, like `ext::`, which runs commands, is refused.
const PROTOCOLS: &str = "file:https:ssh";

/// `git` on a repository of our own.
pub(super) fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    for name in REMOVED {
        command.env_remove(name);
    }
    command
        .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        // A server that says nothing is given up.
        .env("GIT_HTTP_LOW_SPEED_LIMIT", "1000")
        .env("GIT_HTTP_LOW_SPEED_TIME", "60")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("LC_ALL", "C")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"])
        .args(["-c", "submodule.recurse=false", "-c", "fetch.recurseSubmodules=false", "-c", "maintenance.auto=false"])
        .arg("--no-pager")
        .arg("--git-dir")
        .arg(directory)
        .stdin(Stdio::null());
    command
}

/// What a command prints, given some input.
///
/// # Errors
/// [`SourceError::Git`] with the last line of what it said.
pub(super) fn run(command: &mut Command, input: impl AsRef<[u8]>, what: &str) -> Result<Vec<u8>, SourceError> {
    let input = input.as_ref();
    let missing = |error: std::io::Error| SourceError::Git {
        what: what.to_owned(),
        reason: format!("the program `git` cannot be started: {error}; install git 2.30 or newer"),
    };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(missing)?;
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    // Written beside, because a program that answers before it has read everything would wait for us.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not want more has its reasons, which its status tells.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output()
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = || said.lines().filter(|line| !line.trim().is_empty());
    let telling =
        lines().find(|line| line.starts_with("fatal:") || line.starts_with("error:")).or_else(|| lines().next_back());
    let reason = telling.unwrap_or("git said nothing").trim().to_owned();
    Err(SourceError::Git { what: what.to_owned(), reason })
}
