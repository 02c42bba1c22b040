//! Commits and the files that they change.

use std::collections::HashMap;
use std::path::Path;

use super::command::{git, run};
use crate::sources::SourceError;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its hash.
    pub id: String,
    /// The commit before it; empty for the first one. Of merges the first one.
    pub parent: String,
    /// When it was committed, in seconds since 1970.
    pub time: u64,
    /// The files that differ from those of the parent. Not known for merges.
    pub changes: Vec<Changed>,
}

/// A file that a commit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its path; `None` when its name is not UTF-8.
    pub path: Option<String>,
    /// The object before; `None` when it was added, or is no regular file.
    pub before: Option<String>,
    /// The object afterwards; `None` when it was deleted, or is no regular file.
    pub after: Option<String>,
}

pub(super) fn read(
    directory: &Path,
    head: &str,
    most: usize,
    merges: bool,
    url: &str,
) -> Result<Vec<Commit>, SourceError> {
    let mut list = git(directory);
    list.args(["rev-list", "--parents", "--timestamp", &format!("--max-count={most}")]);
    if !merges {
        list.arg("--no-merges");
    }
    let lines = run(list.arg(head), "", url)?;
    let lines = String::from_utf8_lossy(&lines).into_owned();
    let commits: Vec<Commit> = lines.lines().filter_map(commit).collect();
    let ids: String = commits.iter().map(|commit| commit.id.clone() + "\n").collect();
    let mut diff = git(directory);
    diff.args(["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff", "--no-abbrev"]);
    let changes = run(&mut diff, &ids, url)?;
    let mut changes = changed(&changes);
    Ok(commits
        .into_iter()
        .map(|commit| Commit { changes: changes.remove(&commit.id).unwrap_or_default(), ..commit })
        .collect())
}

fn commit(line: &str) -> Option<Commit> {
    let mut words = line.split_whitespace();
    let (time, id) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    Some(Commit { id, parent: words.next().unwrap_or_default().to_owned(), time, changes: Vec::new() })
}

/// Reads what `git diff-tree --stdin -z` prints: a hash, then for each file its line and its path.
fn changed(output: &[u8]) -> HashMap<String, Vec<Changed>> {
    let mut found: HashMap<String, Vec<Changed>> = HashMap::new();
    let mut parts = output.split(|byte| matches!(byte, 0));
    let mut current = String::new();
    while let Some(part) = parts.next() {
        match part.strip_prefix(b":") {
            Some(line) => {
                let path = parts.next().unwrap_or_default();
                let changed = changed_file(&String::from_utf8_lossy(line), path);
                found.entry(current.clone()).or_default().extend(changed);
            }
            None => current = String::from_utf8_lossy(part).trim().to_owned(),
        }
    }
    found
}

/// `100644 100644 <before> <after> M`.
fn changed_file(line: &str, path: &[u8]) -> Option<Changed> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [mode_before, mode_after, before, after, _] = words[..] else { return None };
    let regular = |mode: &str, object: &str| mode.starts_with("100").then(|| object.to_owned());
    let path = std::str::from_utf8(path).ok().map(str::to_owned);
    Some(Changed { path, before: regular(mode_before, before), after: regular(mode_after, after) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_belong_to_the_commit_before_them() {
        let output = b"c1\0:100644 100644 a1 b1 M\0x.py\0:000000 100644 00 b2 A\0\xff\0c2\0:100644 120000 a3 b3 T\0y\0";
        let found = changed(output);
        let file = |path: Option<&str>, before: Option<&str>, after: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Changed { path: own(path), before: own(before), after: own(after) }
        };
        let expected = [file(Some("x.py"), Some("a1"), Some("b1")), file(None, None, Some("b2"))];
        assert_eq!(found["c1"], expected);
        assert_eq!(found["c2"], [file(Some("y"), Some("a3"), None)]);
    }
}
