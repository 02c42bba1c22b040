//! Objects of a repository by their hashes, from one long-running `git cat-file`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::command::git;
use crate::sources::SourceError;

/// Longer objects are not read.
const LONGEST: u64 = 16 << 20;

/// The running program.
pub(super) struct Objects {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Objects {
    pub(super) fn open(directory: &Path) -> Result<Self, SourceError> {
        let mut command = git(directory);
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Ok(Self { child, stdin, stdout })
    }

    /// The bytes of a file.
    pub(super) fn blob(&mut self, object: &str) -> Result<Vec<u8>, SourceError> {
        self.read(object, "blob")
    }

    /// The bytes of an object that must be of some kind.
    pub(super) fn read(&mut self, object: &str, kind: &str) -> Result<Vec<u8>, SourceError> {
        let bad = |reason: &str| SourceError::Git { what: format!("object {object}"), reason: reason.to_owned() };
        if object.is_empty() || !object.chars().all(|letter| letter.is_ascii_hexdigit()) {
            return Err(bad("that is no hash"));
        }
        let stdin = self.stdin.as_mut().expect("open until this is dropped");
        stdin.write_all(format!("{object}\n").as_bytes())?;
        stdin.flush()?;
        let mut header = String::new();
        self.stdout.read_line(&mut header)?;
        let words: Vec<&str> = header.split_whitespace().collect();
        let [_, found, length] = words[..] else { return Err(bad("it is missing; fetch the repository again")) };
        let length: u64 = length.parse().map_err(|_| bad("its length is no number"))?;
        // The object is followed by a line break.
        if found != kind || length > LONGEST {
            std::io::copy(&mut self.stdout.by_ref().take(length + 1), &mut std::io::sink())?;
            return Err(bad(if found == kind { "it is too long" } else { "it is of another kind than expected" }));
        }
        let mut bytes = vec![0; length as usize + 1];
        self.stdout.read_exact(&mut bytes)?;
        bytes.pop();
        Ok(bytes)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends with its input.
        self.stdin = None;
        let _ = self.child.wait();
    }
}
