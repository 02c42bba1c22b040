//! What differs between the layers on the host and the files in the pod.
//!
//! The keeper lists what there is. What has another size, or was changed after it was copied in (by the clock of the
//! volume, which nobody inside can set), may differ; of that the contents are fetched and compared here. The archive
//! in which they come is made of a hostile tree: nothing of it is written to disk, and only what was asked for counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use super::connection::Connection;
use super::script;
use super::tree::{Entry, Kind, Tree};
use crate::backends::same_bytes::same_bytes;
use crate::{Change, ChangeKind, FileEdit, SandboxError};

/// Directories nested deeper than this are one [`ChangeKind::Special`].
const DEEPEST: usize = 200;

/// A point of time of the volume's file system: seconds and a fraction.
pub(super) type Time = (u64, u64);

/// What `tree` was copied in for and what became of it, without what is `hidden` under mounts.
pub(super) async fn list(
    connection: &Connection,
    tree: &Tree,
    copied: Time,
    hidden: &[String],
) -> Result<Vec<Change>, SandboxError> {
    let finished = connection.in_keeper(script::LIST, &[]).await?;
    let listed = parse(&finished.stdout)
        .ok_or_else(|| SandboxError::Lost(format!("it cannot be listed: {}", finished.stderr)))?;
    let (mut changes, doubtful) = compare(tree, &listed, copied, hidden);
    let same = same(connection, tree, &doubtful).await?;
    for path in doubtful {
        let (now, before) = (&listed[path.as_bytes()], &tree[path.as_bytes()]);
        let edit = if same.contains(&path) { FileEdit::Mode } else { FileEdit::Content };
        if edit == FileEdit::Content || now.mode != before.mode {
            changes.push(Change { path, kind: ChangeKind::File { edit, size: now.size, mode: now.mode } });
        }
    }
    // A replaced path is `Deleted` first and then what it is now.
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(changes)
}

/// A line of the list.
#[derive(Debug)]
struct Listed {
    kind: u8,
    mode: u32,
    size: u64,
    changed: Time,
    target: Vec<u8>,
}

fn parse(text: &[u8]) -> Option<BTreeMap<Vec<u8>, Listed>> {
    let mut fields = text.split(|byte| *byte == 0);
    let mut all = BTreeMap::new();
    while let Some(line) = fields.next().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(5, |byte| *byte == b' ');
        let mut word = || words.next().map(String::from_utf8_lossy);
        let kind = *word()?.as_bytes().first()?;
        let mode = u32::from_str_radix(&word()?, 8).ok()?;
        let (size, changed) = (word()?.parse().ok()?, time(&word()?)?);
        let path = words.next()?.strip_prefix(b"./")?.to_vec();
        all.insert(path, Listed { kind, mode, size, changed, target: fields.next()?.to_vec() });
    }
    Some(all)
}

/// Reads seconds with a fraction of ten digits.
pub(super) fn time(text: &str) -> Option<Time> {
    let (seconds, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    Some((seconds.parse().ok()?, format!("{fraction:0<10}").parse().ok()?))
}

/// What is sure to have changed, and the files of which the contents decide.
fn compare(
    tree: &Tree,
    listed: &BTreeMap<Vec<u8>, Listed>,
    copied: Time,
    hidden: &[String],
) -> (Vec<Change>, Vec<String>) {
    let (mut changes, mut doubtful) = (Vec::new(), Vec::new());
    let mut push = |path: &[u8], kind| changes.push(Change { path: String::from_utf8_lossy(path).into_owned(), kind });
    let is_hidden = |path: &[u8]| hidden.iter().any(|place| is_at_or_below(path, place.as_bytes()));
    // Nothing below these is looked at.
    let mut closed: BTreeSet<&[u8]> = BTreeSet::new();
    for (path, now) in listed {
        if is_hidden(path) || closed.iter().any(|above| is_at_or_below(path, above)) {
            continue;
        }
        let Ok(text) = std::str::from_utf8(path) else {
            closed.insert(path);
            push(path, ChangeKind::Special);
            continue;
        };
        let before = tree.get(path.as_slice());
        let was_directory = before.is_some_and(|entry| entry.kind == Kind::Directory);
        if before.is_some() && was_directory != (now.kind == b'd') {
            push(path, ChangeKind::Deleted);
        }
        match now.kind {
            b'd' if text.split('/').count() > DEEPEST || text.len() > 3000 => {
                closed.insert(path);
                push(path, ChangeKind::Special);
            }
            b'd' => {
                if was_directory && before.is_some_and(|entry| entry.mode != now.mode) {
                    push(path, ChangeKind::Directory { mode: now.mode });
                }
            }
            b'f' => match before {
                Some(Entry { kind: Kind::File { size }, mode, .. }) if *size == now.size => {
                    if *mode != now.mode || now.changed >= copied {
                        doubtful.push(text.to_owned());
                    }
                }
                before => {
                    let was_file = before.is_some_and(|entry| matches!(entry.kind, Kind::File { .. }));
                    let edit = if was_file { FileEdit::Content } else { FileEdit::Added };
                    push(path, ChangeKind::File { edit, size: now.size, mode: now.mode });
                }
            },
            b'l' => {
                if !matches!(before, Some(Entry { kind: Kind::Link { target }, .. }) if *target == now.target) {
                    push(path, ChangeKind::Link { target: String::from_utf8_lossy(&now.target).into_owned() });
                }
            }
            _ => push(path, ChangeKind::Special),
        }
    }
    let mut gone: Option<&[u8]> = None;
    for path in tree.keys().filter(|path| !listed.contains_key(*path) && !is_hidden(path)) {
        // Of a directory that is gone, or is none any more, the directory alone is listed.
        let below_gone = gone.is_some_and(|above| is_at_or_below(path, above));
        if below_gone || closed.iter().any(|above| is_at_or_below(path, above)) || below_other(path, listed) {
            continue;
        }
        gone = Some(path);
        push(path, ChangeKind::Deleted);
    }
    (changes, doubtful)
}

/// Whether something above `path` is there and is no directory.
fn below_other(path: &[u8], listed: &BTreeMap<Vec<u8>, Listed>) -> bool {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
    ends.into_iter().any(|end| listed.get(&path[..end]).is_some_and(|above| above.kind != b'd'))
}

fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Those of the files whose bytes are those of the layers.
async fn same(connection: &Connection, tree: &Tree, paths: &[String]) -> Result<BTreeSet<String>, SandboxError> {
    let mut same = BTreeSet::new();
    if paths.is_empty() {
        return Ok(same);
    }
    let names: Vec<u8> = paths.iter().flat_map(|path| format!("./{path}\0").into_bytes()).collect();
    let finished = connection.in_keeper(script::CONTENTS, &names).await?;
    // Where the archive is cut or broken, the rest counts as changed.
    let mut archive = tar::Archive::new(finished.stdout.as_slice());
    for entry in archive.entries().into_iter().flatten().map_while(Result::ok) {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((path, before)) = path.strip_prefix("./").and_then(|path| Some((path, tree.get(path.as_bytes())?)))
        else {
            continue;
        };
        let is_file = entry.header().entry_type().is_file();
        if is_file && File::open(&before.source).is_ok_and(|file| same_bytes(entry, file).unwrap_or(false)) {
            same.insert(path.to_owned());
        }
    }
    Ok(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_by_number() {
        assert!(time("12.5").expect("a time") > time("12.0999999990").expect("a time"));
        assert!(time("9.0000000000").expect("a time") < time("10.0000000000").expect("a time"));
    }

    #[test]
    fn a_list_is_read_whatever_the_names_are() {
        let text = b"f 644 3 9.5 ./a b\n\xff\0\0l 777 1 9.5 ./link\0/etc/passwd\0";
        let listed = parse(text).expect("read");
        assert_eq!(listed[b"a b\n\xff".as_slice()].size, 3);
        assert_eq!(listed[b"link".as_slice()].target, b"/etc/passwd");
        assert!(parse(b"f 644 x 9.5 ./a\0\0").is_none());
    }
}
