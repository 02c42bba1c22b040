//! `str_replace`: replaces the only occurrence of a text in a file, or creates a file.
//!
//! Works from the host side, so that it needs no program in the sandbox; the sandbox follows no links.

use std::time::Instant;

use basis_sandbox::{Sandbox, SandboxError};

use super::refusal;
use super::registry::Tool;
use crate::agent::AgentLimits;
use crate::episode::{Observation, ToolCall};

/// Where agents see the repository; they may write paths with it.
const REPOSITORY: &str = "/repo/";

/// The registry entry.
pub(super) const TOOL: Tool = Tool {
    name: "str_replace",
    description: "Replaces the only occurrence of a text in a file; with an empty old text, creates the file.",
    parameters: &[
        ("path", "The file, relative to the repository."),
        ("old", "Text that occurs exactly once in the file; empty to create the file."),
        ("new", "The text to put there."),
    ],
    call: |values| {
        let [path, old, new] = values.try_into().expect("there are three parameters");
        ToolCall::StrReplace { path, old, new }
    },
};

/// Shows `ok`, or one line that says why nothing was changed.
pub(super) fn run(
    path: &str,
    old: &str,
    new: &str,
    sandbox: &mut dyn Sandbox,
    limits: &AgentLimits,
) -> Result<Observation, SandboxError> {
    let start = Instant::now();
    let text = match replace(path, old, new, sandbox, limits) {
        Ok(()) => "ok".to_owned(),
        Err(Refused::Call(reason)) => reason,
        Err(Refused::Sandbox(error)) => refusal(error)?,
    };
    Ok(Observation { text, status: None, duration: start.elapsed() })
}

enum Refused {
    Call(String),
    Sandbox(SandboxError),
}

impl From<SandboxError> for Refused {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

fn replace(path: &str, old: &str, new: &str, sandbox: &mut dyn Sandbox, limits: &AgentLimits) -> Result<(), Refused> {
    let path = relative(path).map_err(Refused::Call)?;
    let found = match sandbox.read(path, limits.file_bytes) {
        Err(SandboxError::NotFound(_)) if old.is_empty() => return Ok(sandbox.write(path, new.as_bytes())?),
        found => found?,
    };
    let text = String::from_utf8(found).map_err(|_| Refused::Call(format!("`{path}` is not UTF-8 text")))?;
    let start = only_occurrence(path, &text, old).map_err(Refused::Call)?;
    let edited = [&text[..start], new, &text[start + old.len()..]].concat();
    Ok(sandbox.write(path, edited.as_bytes())?)
}

/// The path without the repository's prefix, if it can name a file below it.
fn relative(path: &str) -> Result<&str, String> {
    let shown = path;
    let path = path.strip_prefix(REPOSITORY).or(path.strip_prefix("./")).unwrap_or(path);
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.contains('\0');
    match path.len() <= 1000 && path.split('/').all(is_name) {
        true => Ok(path),
        false => Err(format!("`{shown}` is not the path of a file in the repository")),
    }
}

fn only_occurrence(path: &str, text: &str, old: &str) -> Result<usize, String> {
    if old.is_empty() {
        return Err(format!("`{path}` exists; give the text to replace as `old`"));
    }
    match occurrences(text, old).as_slice() {
        [] => Err(format!("`old` does not occur in `{path}`")),
        [only] => Ok(*only),
        many => Err(format!("`old` occurs {} times in `{path}`, on lines {}", many.len(), lines(text, many))),
    }
}

/// Byte offsets of all occurrences; they may overlap.
fn occurrences(text: &str, old: &str) -> Vec<usize> {
    let step = old.chars().next().map_or(1, char::len_utf8);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = text[from..].find(old) {
        found.push(from + offset);
        from += offset + step;
    }
    found
}

fn lines(text: &str, offsets: &[usize]) -> String {
    let line = |offset: &usize| (1 + text[..*offset].matches('\n').count()).to_string();
    let shown: Vec<String> = offsets.iter().take(10).map(line).collect();
    shown.join(", ") + if offsets.len() > 10 { ", …" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_occurrence_will_do() {
        let find = |text, old| only_occurrence("a.py", text, old);
        assert_eq!(find("one two", "two"), Ok(4));
        assert_eq!(find("one", "two"), Err("`old` does not occur in `a.py`".into()));
        assert_eq!(find("x\ny\nx\n", "x"), Err("`old` occurs 2 times in `a.py`, on lines 1, 3".into()));
        assert_eq!(find("aaa", "aa"), Err("`old` occurs 2 times in `a.py`, on lines 1, 1".into()));
        assert_eq!(find("éé", "é"), Err("`old` occurs 2 times in `a.py`, on lines 1, 1".into()));
        assert_eq!(find("one", ""), Err("`a.py` exists; give the text to replace as `old`".into()));
    }

    #[test]
    fn many_occurrences_are_not_all_listed() {
        let error = only_occurrence("a.py", &"x\n".repeat(12), "x").expect_err("there are twelve");
        assert_eq!(error, "`old` occurs 12 times in `a.py`, on lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …");
    }

    #[test]
    fn paths_stay_below_the_repository() {
        assert_eq!(relative("/repo/pkg/a.py"), Ok("pkg/a.py"));
        assert_eq!(relative("./a.py"), Ok("a.py"));
        for path in ["", "/etc/passwd", "../a", "a/../../b", "a//b", "a/", "/repo/", "a\0b", &"x".repeat(300)] {
            assert!(relative(path).is_err(), "{path}");
        }
    }
}
