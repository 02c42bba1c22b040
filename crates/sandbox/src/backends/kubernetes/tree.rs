//! What the layers show together: the files that a sandbox begins with.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::SandboxError;

/// Files by path relative to the root, parents before what is in them.
pub(super) type Tree = BTreeMap<Vec<u8>, Entry>;

/// One file, directory or link of a layer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Permission bits.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified: u64,
    /// Where it is on the host.
    pub(super) source: PathBuf,
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File { size: u64 },
    Link { target: Vec<u8> },
}

/// Puts `layers` on top of each other, lowest first.
pub(super) fn union<'a>(layers: impl IntoIterator<Item = &'a Path>) -> Result<Tree, SandboxError> {
    let mut tree = Tree::new();
    for layer in layers {
        add(&mut tree, layer, Vec::new())
            .map_err(|(path, error)| SandboxError::Spec { path, reason: format!("it cannot be read: {error}") })?;
    }
    Ok(tree)
}

/// What the files take on a file system of pages.
pub(super) fn size(tree: &Tree) -> u64 {
    const PAGE: u64 = 4096;
    let bytes = |entry: &Entry| match entry.kind {
        Kind::File { size } => size.div_ceil(PAGE) * PAGE,
        Kind::Directory | Kind::Link { .. } => PAGE,
    };
    tree.values().map(bytes).sum()
}

fn add(tree: &mut Tree, directory: &Path, path: Vec<u8>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |at: &Path| {
        let at = at.to_path_buf();
        move |error| (at, error)
    };
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let entry = entry.map_err(failed(directory))?;
        let source = entry.path();
        let data = fs::symlink_metadata(&source).map_err(failed(&source))?;
        let mut child = path.clone();
        if !child.is_empty() {
            child.push(b'/');
        }
        child.extend_from_slice(entry.file_name().as_bytes());
        if is_whiteout(&source, &data) {
            remove(tree, &child);
            continue;
        }
        let kind = if data.is_dir() {
            Kind::Directory
        } else if data.is_file() {
            Kind::File { size: data.len() }
        } else if data.is_symlink() {
            Kind::Link { target: fs::read_link(&source).map_err(failed(&source))?.into_os_string().into_vec() }
        } else {
            let reason = io::Error::other("it is neither file, directory nor link");
            return Err((source, reason));
        };
        let was_directory = tree.get(&child).is_some_and(|entry| entry.kind == Kind::Directory);
        if was_directory && (kind != Kind::Directory || has(&source, "user.overlay.opaque")) {
            remove(tree, &child);
        }
        let is_directory = kind == Kind::Directory;
        let modified = u64::try_from(data.mtime()).unwrap_or_default();
        tree.insert(child.clone(), Entry { kind, mode: data.mode() & 0o7777, modified, source: source.clone() });
        if is_directory {
            add(tree, &source, child)?;
        }
    }
    Ok(())
}

/// Removes an entry and everything below it.
fn remove(tree: &mut Tree, path: &[u8]) {
    tree.remove(path);
    let below = [path, b"/"].concat();
    let gone: Vec<Vec<u8>> = tree
        .range(below.clone()..)
        .map(|(path, _)| path)
        .take_while(|path| path.starts_with(&below))
        .cloned()
        .collect();
    for path in gone {
        tree.remove(&path);
    }
}

/// A mark of overlayfs that something of the layers below is gone.
fn is_whiteout(source: &Path, data: &Metadata) -> bool {
    let device = data.file_type().is_char_device() && data.rdev() == 0;
    device || data.is_file() && data.len() == 0 && has(source, "user.overlay.whiteout")
}

fn has(path: &Path, attribute: &str) -> bool {
    let mut value = [0; 8];
    rustix::fs::lgetxattr(path, attribute, &mut value[..]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(files: &[&str]) -> tempfile::TempDir {
        let layer = tempfile::tempdir().expect("made");
        for file in files {
            let path = layer.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, file).expect("written");
        }
        layer
    }

    #[test]
    fn a_file_takes_the_place_of_a_directory_and_the_other_way_round() {
        let (lower, upper) = (layer(&["a/x", "a-b", "b", "c/y"]), layer(&["a", "b/z", "c/w"]));
        let tree = union([lower.path(), upper.path()]).expect("read");
        let paths: Vec<&str> = tree.keys().map(|path| std::str::from_utf8(path).expect("text")).collect();
        assert_eq!(paths, ["a", "a-b", "b", "b/z", "c", "c/w", "c/y"]);
        assert_eq!(size(&tree), 7 * 4096);
    }
}
