//! What stands in a box between two commands, as a digest: equal digests of one box mean that a command left nothing behind.
//!
//! Of every file, directory, link and pipe that was written: name, kind, mode, time of change, extended attributes, bytes. Whether
//! something lives that is no file, the box itself says. Not covered, because it differs between any two boxes: process ids, numbers of
//! files, times of access, free space.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::changes::{DEEPEST, LONGEST};
use super::entries::{Entry, Kind};
use super::grip::View;
use super::{beneath, entries, layout};
use crate::Standing;

/// Bytes and entries of a box that are looked at; whoever leaves more is not compared.
const BYTES: u64 = 4 << 20;
const ENTRIES: usize = 4096;

/// The digest of what was written to the box of `view`; `None` when there is too much of it.
pub(super) fn digest(view: &View) -> io::Result<Option<Standing>> {
    let mut sum = Sum { hasher: Sha256::new(), bytes: BYTES, entries: ENTRIES };
    for (name, _) in layout::FILES_OF_BOX {
        let root = beneath::open(&view.stage, name, OFlags::PATH | OFlags::DIRECTORY)?;
        let seen = entries::each(&root, &mut |entry, bytes| sum.add(&root, &entry, bytes));
        match seen {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            seen => seen?,
        }
    }
    Ok(Some(Standing(sum.hasher.finalize().into())))
}

struct Sum {
    hasher: Sha256,
    bytes: u64,
    entries: usize,
}

impl Sum {
    fn add(&mut self, root: &impl AsFd, entry: &Entry, bytes: Option<File>) -> io::Result<()> {
        // What lies deeper than one looks would be missed.
        let is_deep = entry.path.len() > LONGEST / 2 || Path::new(&entry.path).components().count() >= DEEPEST / 2;
        self.entries = self.entries.checked_sub(1).filter(|_| !is_deep).ok_or(io::ErrorKind::FileTooLarge)?;
        self.part(entry.path.as_bytes());
        self.part(format!("{:?} {:o} {:?}", entry.kind, entry.mode, entry.modified).as_bytes());
        if let Some(mut file) = bytes {
            let size = file.metadata()?.len();
            self.bytes = self.bytes.checked_sub(size).ok_or(io::ErrorKind::FileTooLarge)?;
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            self.part(&content);
            self.attributes(&file)?;
        } else if matches!(entry.kind, Kind::Directory { .. }) {
            let directory = beneath::open(root, Path::new(&entry.path), OFlags::PATH | OFlags::DIRECTORY)?;
            self.attributes(&directory)?;
        }
        Ok(())
    }

    /// Extended attributes, by the name that `/proc` gives to what is open.
    fn attributes(&mut self, file: &impl AsRawFd) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut names = vec![0; 4096];
        let length = match rustix::fs::listxattr(&path, &mut names[..]) {
            Err(rustix::io::Errno::NOTSUP) => return Ok(()),
            Err(rustix::io::Errno::RANGE) => return Err(io::ErrorKind::FileTooLarge.into()),
            length => length?,
        };
        for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let mut value = vec![0; 1 << 16];
            let length = rustix::fs::getxattr(&path, name, &mut value[..])?;
            self.part(name);
            self.part(&value[..length]);
        }
        Ok(())
    }

    /// With its length, so that no two lists of parts give the same bytes.
    fn part(&mut self, bytes: &[u8]) {
        self.hasher.update((bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }
}
