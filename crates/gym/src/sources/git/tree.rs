//! The files of a commit as a tree in memory.

use std::path::Path;
use std::sync::Mutex;

use super::command::{git, run};
use super::objects::Objects;
use crate::sources::{SourceError, layout};
use crate::tree::Tree;

const MOST_FILES: usize = 20_000;
const LONGEST_TREE: u64 = 256 << 20;

/// The files of a commit, and what of it is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Regular files that may be part of a project.
    pub tree: Tree,
    /// What a project should know that it misses.
    pub left_out: Vec<LeftOut>,
}

/// Something in a commit that does not become a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path, with bytes that are no text replaced.
    pub path: String,
    /// Why.
    pub reason: &'static str,
}

pub(super) fn read(
    directory: &Path,
    commit: &str,
    objects: &Mutex<Objects>,
    url: &str,
) -> Result<Snapshot, SourceError> {
    let list = run(git(directory).args(["ls-tree", "-r", "-z", "--long", "--full-tree", commit]), "", url)?;
    let entries: Vec<&[u8]> = list.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).collect();
    let refuse = |reason: String| SourceError::Git { what: format!("{url} at {commit}"), reason };
    if entries.len() > MOST_FILES {
        return Err(refuse(format!("it has {} files, at most {MOST_FILES} are read", entries.len())));
    }
    let mut snapshot = Snapshot::default();
    let mut room = LONGEST_TREE;
    let mut objects = objects.lock().expect("no panic while locked");
    for entry in entries {
        let Some(entry) = Entry::parse(entry) else { continue };
        if let Ok(path) = entry.path
            && layout::is_ignored(path)
        {
            continue;
        }
        match entry.objection() {
            Some(reason) => {
                let path = entry.path.map_or_else(|bytes| String::from_utf8_lossy(bytes).into_owned(), str::to_owned);
                snapshot.left_out.push(LeftOut { path, reason });
            }
            None => {
                room = room
                    .checked_sub(entry.length)
                    .ok_or_else(|| refuse(format!("its files have more than {} MiB", LONGEST_TREE >> 20)))?;
                snapshot.tree.insert(entry.path.unwrap_or_default(), objects.blob(entry.object)?);
            }
        }
    }
    drop(objects);
    without_contradictions(&mut snapshot);
    Ok(snapshot)
}

/// A made-up tree can say that a path is a file and a directory. The file goes.
fn without_contradictions(snapshot: &mut Snapshot) {
    let ancestors = |path: &str| path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>();
    let directories: std::collections::BTreeSet<String> = snapshot.tree.paths().flat_map(ancestors).collect();
    for path in directories {
        if snapshot.tree.remove(&path) {
            snapshot.left_out.push(LeftOut { path, reason: "is a file and a directory" });
        }
    }
}

/// One line of `git ls-tree --long`: mode, kind, object, length, path.
struct Entry<'a> {
    mode: &'a str,
    object: &'a str,
    length: u64,
    path: Result<&'a str, &'a [u8]>,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let words: Vec<&str> = std::str::from_utf8(&line[..tab]).ok()?.split_whitespace().collect();
        let [mode, _, object, length] = words[..] else { return None };
        let path = std::str::from_utf8(&line[tab + 1..]).map_err(|_| &line[tab + 1..]);
        Some(Self { mode, object, length: length.parse().unwrap_or(0), path })
    }

    /// Why this does not become a file.
    fn objection(&self) -> Option<&'static str> {
        let Ok(path) = self.path else { return Some("its name is not UTF-8") };
        match self.mode {
            "120000" => Some("is a symbolic link"),
            "160000" => Some("is a submodule"),
            "100644" | "100755" | "100664" if !is_plain(path) => Some("its name leads out of the tree"),
            "100644" | "100755" | "100664" if self.length > layout::LONGEST_FILE => Some("is longer than 4 MiB"),
            "100644" | "100755" | "100664" => None,
            _ => Some("is no regular file"),
        }
    }
}

fn is_plain(path: &str) -> bool {
    let is_odd = |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
    !path.contains(['\\', '\n', '\r']) && !path.split('/').any(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_with_plain_names_become_files() {
        let reason = |line: &str| Entry::parse(line.as_bytes()).expect("well-formed").objection();
        assert_eq!(reason("100644 blob aa      12\ta/b.py"), None);
        assert_eq!(reason("120000 blob aa      12\tlink"), Some("is a symbolic link"));
        assert_eq!(reason("160000 commit aa       -\tother"), Some("is a submodule"));
        assert_eq!(reason("100644 blob aa      12\ta/../../b.py"), Some("its name leads out of the tree"));
        assert_eq!(reason("100644 blob aa 99999999\tdata"), Some("is longer than 4 MiB"));
        let odd = Entry::parse(b"100644 blob aa 1\t\xff.py").expect("well-formed").objection();
        assert_eq!(odd, Some("its name is not UTF-8"));
    }

    #[test]
    fn what_is_a_file_and_a_directory_is_only_a_directory() {
        let mut snapshot = Snapshot::default();
        ["a", "a/b", "c"].iter().for_each(|path| snapshot.tree.insert(*path, ""));
        without_contradictions(&mut snapshot);
        assert_eq!(snapshot.tree.paths().collect::<Vec<_>>(), ["a/b", "c"]);
        assert_eq!(snapshot.left_out.len(), 1);
    }
}
