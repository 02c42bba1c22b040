//! Compares the upper directory of an overlay with the layers below it, from the host.
//!
//! Overlayfs marks what is gone with whiteouts (character devices 0:0) and directories that hide everything below with
//! an attribute. It copies whole files up on a mere `touch`, so content and mode are compared before anything counts.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat};

use super::beneath;
use super::unlock::unlocking;
use crate::backends::same_bytes::same_bytes;
use crate::{Change, ChangeKind, FileEdit};

/// Directories nested deeper than this are reported as one [`ChangeKind::Special`] and not looked into.
pub(super) const DEEPEST: usize = 200;
/// The same for directories whose path has more bytes than this.
pub(super) const LONGEST: usize = 3000;
/// The attribute of a directory that hides everything below it in lower layers.
pub(super) const OPAQUE: &str = "user.overlay.opaque";

/// What `upper` changes in `layers` (lowest first), sorted by path; a replaced path is `Deleted` and then what it is now.
pub(super) fn list(upper: &OwnedFd, layers: Vec<OwnedFd>) -> io::Result<Vec<Change>> {
    let mut walk = Walk { upper, lower: Lower(layers), changes: Vec::new() };
    walk.directory("", false, 0)?;
    walk.changes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(walk.changes)
}

struct Walk<'a> {
    upper: &'a OwnedFd,
    lower: Lower,
    changes: Vec<Change>,
}

impl Walk<'_> {
    /// Looks at one directory of the upper layer; `hidden` when nothing below it in the layers is visible.
    fn directory(&mut self, path: &str, hidden: bool, depth: usize) -> io::Result<()> {
        let open = || {
            let directory = beneath::open(self.upper, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            // Listing needs one right and looking at what is listed another.
            rustix::fs::statat(&directory, ".", AtFlags::empty())?;
            Ok(directory)
        };
        let (directory, _locks) = match unlocking(self.upper, path, open) {
            Err(error) if is_hostile(&error) && !path.is_empty() => {
                self.oddity(path, &error);
                return Ok(());
            }
            other => other?,
        };
        let hidden = hidden || is_opaque(&directory);
        let mut present = BTreeSet::new();
        for name in names(&directory)? {
            let Ok(data) = rustix::fs::statat(&directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) else {
                // It was removed meanwhile: the sandbox is not frozen.
                continue;
            };
            let child = join(path, &String::from_utf8_lossy(&name));
            match String::from_utf8(name) {
                Ok(name) if !is_whiteout(&data) => drop(present.insert(name)),
                Ok(_) => {}
                Err(_) => {
                    self.push(&child, ChangeKind::Special);
                    continue;
                }
            }
            match self.entry(&child, &data, hidden, depth) {
                Err(error) if is_hostile(&error) => self.oddity(&child, &error),
                other => other?,
            }
        }
        if hidden {
            for gone in self.lower.names(path)?.difference(&present) {
                self.push(&join(path, gone), ChangeKind::Deleted);
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, data: &Stat, hidden: bool, depth: usize) -> io::Result<()> {
        let before = self.lower.find(path)?;
        let kind = FileType::from_raw_mode(data.st_mode);
        let kind_before = before.as_ref().map(|(_, data)| FileType::from_raw_mode(data.st_mode));
        if is_whiteout(data) {
            // In a hidden directory the directory itself lists what is gone.
            if before.is_some() && !hidden {
                self.push(path, ChangeKind::Deleted);
            }
            return Ok(());
        }
        if kind_before
            .is_some_and(|before| before != kind && (before == FileType::Directory || kind == FileType::Directory))
        {
            self.push(path, ChangeKind::Deleted);
        }
        match kind {
            FileType::Directory if depth == DEEPEST || path.len() > LONGEST => self.push(path, ChangeKind::Special),
            FileType::Directory => {
                if before.is_some_and(|(_, before)| before.st_mode != data.st_mode && kind_before == Some(kind)) {
                    self.push(path, ChangeKind::Directory { mode: data.st_mode & 0o7777 });
                }
                self.directory(path, hidden, depth + 1)?;
            }
            FileType::RegularFile => {
                if let Some(edit) = self.file_edit(path, data, before.as_ref())? {
                    let (size, mode) = (data.st_size as u64, data.st_mode & 0o7777);
                    self.push(path, ChangeKind::File { edit, size, mode });
                }
            }
            FileType::Symlink => {
                let target = link_target(self.upper, path)?;
                let same = match &before {
                    Some((layer, _)) if kind_before == Some(kind) => {
                        link_target(&self.lower.0[*layer], path)? == target
                    }
                    _ => false,
                };
                if !same {
                    self.push(path, ChangeKind::Link { target: String::from_utf8_lossy(&target).into_owned() });
                }
            }
            _ => self.push(path, ChangeKind::Special),
        }
        Ok(())
    }

    /// What is new about a regular file of the upper layer, if anything is.
    fn file_edit(&self, path: &str, data: &Stat, before: Option<&(usize, Stat)>) -> io::Result<Option<FileEdit>> {
        let was_file = |data: &Stat| FileType::from_raw_mode(data.st_mode) == FileType::RegularFile;
        let Some((layer, before)) = before.filter(|(_, before)| was_file(before)) else {
            return Ok(Some(FileEdit::Added));
        };
        if before.st_size != data.st_size {
            return Ok(Some(FileEdit::Content));
        }
        let (now, _locks) = unlocking(self.upper, path, || beneath::read(self.upper, path))?;
        if !same_bytes(now, beneath::read(&self.lower.0[*layer], path)?)? {
            return Ok(Some(FileEdit::Content));
        }
        Ok((before.st_mode != data.st_mode).then_some(FileEdit::Mode))
    }

    /// Lists what cannot be looked at as it should; what is not there any more needs no mention.
    fn oddity(&mut self, path: &str, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.push(path, ChangeKind::Special);
        }
    }

    fn push(&mut self, path: &str, kind: ChangeKind) {
        self.changes.push(Change { path: path.into(), kind });
    }
}

/// The layers, lowest first, seen as one tree.
struct Lower(Vec<OwnedFd>);

impl Lower {
    /// The layer in which `path` is visible.
    fn find(&self, path: &str) -> io::Result<Option<(usize, Stat)>> {
        for (index, layer) in self.0.iter().enumerate().rev() {
            match beneath::open(layer, path, OFlags::PATH | OFlags::NOFOLLOW) {
                Ok(found) => {
                    let data = rustix::fs::fstat(found)?;
                    return Ok((!is_whiteout(&data)).then_some((index, data)));
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOENT) if index > 0 && hides_below(layer, path) => return Ok(None),
                    Some(libc::ENOENT) => {}
                    // A file or link of this layer stands where lower ones have a directory, and hides it.
                    Some(libc::ENOTDIR | libc::ELOOP) => return Ok(None),
                    _ => return Err(error),
                },
            }
        }
        Ok(None)
    }

    /// All names in the directory `path`.
    fn names(&self, path: &str) -> io::Result<BTreeSet<String>> {
        let (mut all, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for (index, layer) in self.0.iter().enumerate().rev() {
            match beneath::open(layer, path, OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(directory) => {
                    for name in names(&directory)?.into_iter().flat_map(String::from_utf8) {
                        let data = rustix::fs::statat(&directory, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
                        if is_whiteout(&data) {
                            gone.insert(name);
                        } else if !gone.contains(&name) {
                            all.insert(name);
                        }
                    }
                    if index > 0 && (is_opaque(&directory) || hides_below(layer, path)) {
                        break;
                    }
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOENT) if index > 0 && hides_below(layer, path) => break,
                    Some(libc::ENOENT) => {}
                    Some(libc::ENOTDIR | libc::ELOOP) => break,
                    _ => return Err(error),
                },
            }
        }
        Ok(all)
    }
}

/// Whether a directory of `layer` on the way to `path` hides what lower layers have there.
fn hides_below(layer: &OwnedFd, path: &str) -> bool {
    let ways = path.match_indices('/').map(|(index, _)| &path[..index]);
    ways.chain([""]).any(|way| {
        beneath::open(layer, way, OFlags::RDONLY | OFlags::DIRECTORY).is_ok_and(|directory| is_opaque(&directory))
    })
}

/// Whether an error says something about a path that hostile code made, and nothing about this machine.
fn is_hostile(error: &io::Error) -> bool {
    let odd = [libc::EACCES, libc::EPERM, libc::ENOENT, libc::ENOTDIR, libc::ENAMETOOLONG, libc::ESTALE];
    beneath::is_refusal(error) || error.raw_os_error().is_some_and(|number| odd.contains(&number))
}

fn names(directory: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory.as_fd())? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn link_target(root: &OwnedFd, path: &str) -> io::Result<Vec<u8>> {
    let link = beneath::open(root, path, OFlags::PATH | OFlags::NOFOLLOW)?;
    Ok(rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes())
}

pub(super) fn is_whiteout(data: &Stat) -> bool {
    FileType::from_raw_mode(data.st_mode) == FileType::CharacterDevice && data.st_rdev == 0
}

pub(super) fn is_opaque(directory: &OwnedFd) -> bool {
    let mut value = [0; 8];
    rustix::fs::fgetxattr(directory, OPAQUE, &mut value).is_ok_and(|length| &value[..length] == b"y")
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.into() } else { format!("{directory}/{name}") }
}
