//! The files of an upper layer as a list of entries, and a list of entries as files: how a sandbox is forked or becomes
//! a layer.
//!
//! Not taken along: extended attributes, sockets, devices, and what is nested deeper than [`DEEPEST`].

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, XattrFlags};
use serde::{Deserialize, Serialize};

use super::beneath;
use super::changes::{DEEPEST, LONGEST, OPAQUE, is_opaque, is_whiteout};
use super::unlock::unlocking;

/// One file, directory or mark, with its path below the root that is copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::backends) struct Entry {
    pub(super) path: OsString,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
}

/// What an entry is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Beside it: the open file.
    File,
    /// Another name of an earlier file.
    Same(OsString),
    Directory {
        opaque: bool,
    },
    /// Comes after all that is in a directory: its mode and time as they have to stay.
    Sealed,
    Link(OsString),
    Fifo,
    Whiteout,
}

impl Entry {
    /// Moves it below the directory `place`.
    pub(super) fn relocate(&mut self, place: &Path) {
        // Joining with the empty path would end it with a slash.
        let below = |path: &OsStr| if path.is_empty() { place.into() } else { place.join(path).into_os_string() };
        self.path = below(&self.path);
        if let Kind::Same(first) = &mut self.kind {
            *first = below(first);
        }
    }
}

/// Hands `take` every entry below the directory `root`, each directory before what is in it.
pub(super) fn each(root: &OwnedFd, take: &mut dyn FnMut(Entry, Option<File>) -> io::Result<()>) -> io::Result<()> {
    Walk { root, take, names: HashMap::new() }.directory(Path::new(""), 0)
}

struct Walk<'a> {
    root: &'a OwnedFd,
    take: &'a mut dyn FnMut(Entry, Option<File>) -> io::Result<()>,
    /// First names of files with several.
    names: HashMap<u64, PathBuf>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let open = || {
            let directory = beneath::open(self.root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            rustix::fs::statat(&directory, ".", AtFlags::empty())?;
            Ok(directory)
        };
        let (directory, locks) = unlocking(self.root, path, open)?;
        let data = locks.original(rustix::fs::fstat(&directory)?);
        (self.take)(entry(path, Kind::Directory { opaque: is_opaque(&directory) }, &data), None)?;
        for item in Dir::read_from(directory.as_fd())? {
            let item = item?;
            let name = item.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let child = path.join(OsStr::from_bytes(name));
            let Ok(data) = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            self.item(&child, &data, depth)?;
        }
        (self.take)(entry(path, Kind::Sealed, &data), None)
    }

    fn item(&mut self, path: &Path, data: &Stat, depth: usize) -> io::Result<()> {
        let kind = match FileType::from_raw_mode(data.st_mode) {
            FileType::Directory if depth == DEEPEST || path.as_os_str().len() > LONGEST => return Ok(()),
            FileType::Directory => return self.directory(path, depth + 1),
            FileType::RegularFile => {
                if data.st_nlink > 1
                    && let Some(first) = self.names.insert(data.st_ino, path.into())
                {
                    return (self.take)(entry(path, Kind::Same(first.into()), data), None);
                }
                let (file, _locks) = unlocking(self.root, path, || beneath::read(self.root, path))?;
                return (self.take)(entry(path, Kind::File, data), Some(file));
            }
            FileType::Symlink => {
                let link = beneath::open(self.root, path, OFlags::PATH | OFlags::NOFOLLOW)?;
                let target = rustix::fs::readlinkat(link, "", Vec::new())?;
                Kind::Link(OsStr::from_bytes(target.to_bytes()).into())
            }
            FileType::Fifo => Kind::Fifo,
            _ if is_whiteout(data) => Kind::Whiteout,
            _ => return Ok(()),
        };
        (self.take)(entry(path, kind, data), None)
    }
}

fn entry(path: &Path, kind: Kind, data: &Stat) -> Entry {
    let modified = (data.st_mtime, data.st_mtime_nsec as i64);
    Entry { path: path.into(), kind, mode: data.st_mode & 0o7777, modified }
}

/// Makes one entry below the directory `root`; the file beside it holds its bytes.
pub(super) fn make(root: &OwnedFd, entry: &Entry, bytes: Option<&File>) -> io::Result<()> {
    let path = Path::new(&entry.path);
    let (parent, name) = (path.parent().unwrap_or(Path::new("")), path.file_name());
    let parent = beneath::open(root, parent, OFlags::PATH | OFlags::DIRECTORY)?;
    let name = name.unwrap_or(OsStr::new("."));
    let mode = Mode::from_raw_mode(entry.mode);
    match &entry.kind {
        Kind::Directory { opaque } => {
            if name != "." {
                match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
                    // The box itself has made it.
                    Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if *opaque {
                let directory = beneath::open(&parent, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
                rustix::fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())?;
            }
            return Ok(());
        }
        Kind::Sealed => {
            let directory = beneath::open(&parent, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
            rustix::fs::futimens(&directory, &times(entry))?;
            return Ok(rustix::fs::fchmod(directory, mode)?);
        }
        Kind::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file: File = rustix::fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?.into();
            if let Some(bytes) = bytes {
                copy(bytes, &file)?;
            }
            rustix::fs::fchmod(&file, mode)?;
            return Ok(rustix::fs::futimens(file, &times(entry))?);
        }
        Kind::Same(first) => {
            // Both were made here, so no link is on the way.
            return Ok(rustix::fs::linkat(root, first, &parent, name, AtFlags::empty())?);
        }
        Kind::Link(target) => rustix::fs::symlinkat(target, &parent, name)?,
        Kind::Fifo => rustix::fs::mknodat(&parent, name, FileType::Fifo, mode, 0)?,
        Kind::Whiteout => {
            return Ok(rustix::fs::mknodat(&parent, name, FileType::CharacterDevice, Mode::empty(), 0)?);
        }
    }
    rustix::fs::utimensat(&parent, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.modified.0, tv_nsec: entry.modified.1 };
    Timestamps { last_access: time, last_modification: time }
}

/// Copies bytes and leaves holes.
fn copy(from: &File, to: &File) -> io::Result<()> {
    let size = from.metadata()?.len();
    to.set_len(size)?;
    let mut buffer = vec![0; 1 << 16];
    let mut position = 0;
    while position < size {
        let Ok(data) = rustix::fs::seek(from, SeekFrom::Data(position)) else { break };
        let hole = rustix::fs::seek(from, SeekFrom::Hole(data)).unwrap_or(size).min(size);
        position = data;
        while position < hole {
            let wanted = buffer.len().min((hole - position) as usize);
            let count = from.read_at(&mut buffer[..wanted], position)?;
            if count == 0 {
                return Ok(());
            }
            to.write_all_at(&buffer[..count], position)?;
            position += count as u64;
        }
    }
    Ok(())
}

/// Makes a layer at `target`, which must not exist, of the upper layer `upper`.
pub(super) fn snapshot(upper: &OwnedFd, target: &Path) -> io::Result<()> {
    rustix::fs::mkdirat(CWD, target, Mode::RWXU)?;
    let written = rustix::fs::openat(CWD, target, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|root| each(upper, &mut |entry, bytes| make(&root, &entry, bytes.as_ref())));
    if written.is_err() {
        // Modes in it may be anything; what stays is named by the error that follows.
        let _ = std::fs::remove_dir_all(target);
    }
    written
}
