//! From the archive of one layer to a directory that overlayfs can show.
//!
//! The archive is hostile. Every path is resolved below the layer's own directory without following links; what goes outside is
//! refused with the name of the entry. Marks for what is gone (`.wh.…`) become those of overlayfs: a whiteout is a character device
//! 0:0, a directory that hides everything below has the attribute `user.overlay.opaque`, both of which need no privilege.
//! Not kept: owners, set-user-id bits, extended attributes. Device nodes below `dev` are left out, elsewhere they are refused.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use tar::EntryType;

use super::{Digest, ImageError, LayerLimits};

/// Called with the bytes written so far; refuses when there is no room for more.
pub(super) type Room<'a> = &'a mut dyn FnMut(u64) -> Result<(), ImageError>;

/// How much is written between two looks at the room that is left.
const STEP: u64 = 16 << 20;
/// What a file takes besides its content, so that many empty files count too.
const ENTRY: u64 = 512;

/// Unpacks `archive`, an uncompressed tar, into the empty directory `into`; returns the bytes that it takes.
pub(super) fn unpack(
    layer: &Digest,
    archive: impl Read,
    into: &Path,
    limits: &LayerLimits,
    room: Room<'_>,
) -> Result<u64, ImageError> {
    let root = rustix::fs::openat(CWD, into, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| ImageError::system(format!("open {}", into.display()), error))?;
    let mut layer = Layer { layer, root, limits, room, bytes: 0, entries: 0, asked: 0, directories: Vec::new() };
    let damaged = |error: io::Error| ImageError::Damaged {
        what: format!("the archive of layer {}", layer.layer),
        reason: error.to_string(),
    };
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(|error| ImageError::Damaged {
            what: format!("the archive of layer {}", layer.layer),
            reason: error.to_string(),
        })?;
        layer.entry(entry)?;
    }
    layer.finish()
}

struct Layer<'a> {
    layer: &'a Digest,
    root: OwnedFd,
    limits: &'a LayerLimits,
    room: Room<'a>,
    bytes: u64,
    entries: u64,
    /// Bytes up to which there is room.
    asked: u64,
    /// Modes and times that directories get at the end, when nothing is put into them any more.
    directories: Vec<(Vec<u8>, u32, u64)>,
}

/// One entry that is not yet on disk.
struct Item<'a> {
    /// For errors.
    name: String,
    parent: &'a [u8],
    base: &'a [u8],
    mode: u32,
    time: u64,
}

impl Layer<'_> {
    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), ImageError> {
        let raw = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(&raw).escape_debug().to_string();
        let path = normal(&raw).ok_or_else(|| self.hostile(&name, "goes up"))?;
        self.count(&name)?;
        let header = entry.header();
        let (mode, time) = (header.mode().unwrap_or(0o644), header.mtime().unwrap_or(0));
        let mut kind = header.entry_type();
        if kind.is_file() && raw.ends_with(b"/") {
            kind = EntryType::Directory;
        }
        if path.is_empty() {
            // The root itself.
            return Ok(());
        }
        let (parent, base) = split(&path);
        let item = Item { name, parent, base, mode, time };
        if let Some(mark) = base.strip_prefix(b".wh.") {
            return self.mark(&item, mark);
        }
        match kind {
            EntryType::Directory => self.directory(&item, &path),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => self.file(&item, &mut entry),
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
                if kind.is_symlink() { self.symbolic_link(&item, &target) } else { self.hard_link(&item, &target) }
            }
            EntryType::Fifo => self.fifo(&item),
            EntryType::Char | EntryType::Block if path.starts_with(b"dev/") => Ok(()),
            EntryType::Char | EntryType::Block => Err(self.hostile(&item.name, "is a device")),
            // Comments about the archive.
            EntryType::XGlobalHeader => Ok(()),
            _ => Err(self.hostile(&item.name, "is of a kind that no layer needs")),
        }
    }

    fn directory(&mut self, item: &Item<'_>, path: &[u8]) -> Result<(), ImageError> {
        let parent = self.parent(item)?;
        match rustix::fs::mkdirat(&parent, item.base, Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) if kind_of(&parent, item.base) == Some(FileType::Directory) => {}
            Err(Errno::EXIST) => {
                self.remove(&parent, item)?;
                let made = rustix::fs::mkdirat(&parent, item.base, Mode::from_raw_mode(0o700));
                made.map_err(|error| self.failed(item, error))?;
            }
            Err(error) => return Err(self.failed(item, error)),
        }
        // Its owner could do all this as the root of the image, too.
        self.directories.push((path.to_vec(), item.mode & 0o1777 | 0o700, item.time));
        Ok(())
    }

    fn file(&mut self, item: &Item<'_>, content: &mut impl Read) -> Result<(), ImageError> {
        let parent = self.parent(item)?;
        self.remove(&parent, item)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&parent, item.base, flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(file.map_err(|error| self.failed(item, error))?);
        self.copy(item, content, &mut file)?;
        let finished = rustix::fs::fchmod(&file, Mode::from_raw_mode(item.mode & 0o777 | 0o400))
            .and_then(|()| rustix::fs::futimens(&file, &times(item.time)));
        finished.map_err(|error| self.failed(item, error))
    }

    fn copy(&mut self, item: &Item<'_>, content: &mut impl Read, file: &mut File) -> Result<(), ImageError> {
        let mut buffer = [0; 1 << 16];
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let what = format!("the archive of layer {}", self.layer);
                    return Err(ImageError::Damaged { what, reason: format!("in `{}`: {error}", item.name) });
                }
            };
            self.take(count as u64)?;
            file.write_all(&buffer[..count]).map_err(|error| self.failed(item, error))?;
        }
    }

    fn symbolic_link(&mut self, item: &Item<'_>, target: &[u8]) -> Result<(), ImageError> {
        // Where it points to matters only inside a sandbox: nothing here follows it.
        let parent = self.parent(item)?;
        self.remove(&parent, item)?;
        rustix::fs::symlinkat(target, &parent, item.base)
            .and_then(|()| rustix::fs::utimensat(&parent, item.base, &times(item.time), AtFlags::SYMLINK_NOFOLLOW))
            .map_err(|error| self.failed(item, error))
    }

    fn hard_link(&mut self, item: &Item<'_>, target: &[u8]) -> Result<(), ImageError> {
        let path = normal(target).ok_or_else(|| self.hostile(&item.name, "is a link to a file outside"))?;
        let (directory, base) = split(&path);
        let directory = self.open(directory).map_err(|error| match error {
            Errno::LOOP => self.hostile(&item.name, "is a link through another link"),
            _ => self.dangling(item),
        })?;
        let parent = self.parent(item)?;
        if kind_of(&directory, base).is_none() {
            return Err(self.dangling(item));
        }
        if same_file(&directory, base, &parent, item.base) {
            return Ok(());
        }
        self.remove(&parent, item)?;
        rustix::fs::linkat(&directory, base, &parent, item.base, AtFlags::empty())
            .map_err(|error| self.failed(item, error))
    }

    fn fifo(&mut self, item: &Item<'_>) -> Result<(), ImageError> {
        let parent = self.parent(item)?;
        self.remove(&parent, item)?;
        let mode = Mode::from_raw_mode(item.mode & 0o777);
        rustix::fs::mknodat(&parent, item.base, FileType::Fifo, mode, 0).map_err(|error| self.failed(item, error))
    }

    /// Something of lower layers is gone.
    fn mark(&mut self, item: &Item<'_>, mark: &[u8]) -> Result<(), ImageError> {
        let parent = self.parent(item)?;
        if mark == b".wh..opq" {
            let path = if item.parent.is_empty() { &b"."[..] } else { item.parent };
            let directory = self.open_for_reading(path).map_err(|error| self.failed(item, error))?;
            return rustix::fs::fsetxattr(&directory, "user.overlay.opaque", b"y", XattrFlags::empty())
                .map_err(|error| self.failed(item, error));
        }
        if mark.starts_with(b".wh.") {
            // Notes of a storage driver to itself.
            return Ok(());
        }
        if mark.is_empty() || mark == b"." || mark == b".." {
            return Err(self.hostile(&item.name, "removes what is outside"));
        }
        // If the layer itself has something of this name, that is what there is.
        match rustix::fs::mknodat(&parent, mark, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(self.failed(item, error)),
        }
    }

    /// Gives directories their modes and times, and counts what is left to count.
    fn finish(mut self) -> Result<u64, ImageError> {
        let directories = std::mem::take(&mut self.directories);
        for (path, mode, time) in directories.iter().rev() {
            let set = |directory: OwnedFd| {
                rustix::fs::fchmod(&directory, Mode::from_raw_mode(*mode))?;
                rustix::fs::futimens(&directory, &times(*time))
            };
            match self.open_for_reading(path).and_then(set) {
                // A later entry put something else in its place.
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => {
                    return Err(ImageError::system(format!("finish `{}`", String::from_utf8_lossy(path)), error));
                }
            }
        }
        (self.room)(self.bytes)?;
        Ok(self.bytes)
    }

    /// Opens the directory that an entry is in, making it if the archive left it out.
    fn parent(&self, item: &Item<'_>) -> Result<OwnedFd, ImageError> {
        let refused = |error| match error {
            Errno::LOOP => self.hostile(&item.name, "goes through a link"),
            Errno::NOTDIR => self.hostile(&item.name, "goes through a file"),
            error => self.failed(item, error),
        };
        match self.open(item.parent) {
            Err(Errno::NOENT) => {}
            other => return other.map_err(refused),
        }
        let mut directory = self.open(b"").map_err(refused)?;
        for name in item.parent.split(|byte| *byte == b'/') {
            match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(refused(error)),
            }
            directory = beneath(&directory, name, OFlags::PATH | OFlags::DIRECTORY).map_err(refused)?;
        }
        Ok(directory)
    }

    fn open(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        beneath(&self.root, if path.is_empty() { b"." } else { path }, OFlags::PATH | OFlags::DIRECTORY)
    }

    fn open_for_reading(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        beneath(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Removes what an earlier entry put in the place of this one.
    fn remove(&self, parent: &OwnedFd, item: &Item<'_>) -> Result<(), ImageError> {
        match rustix::fs::unlinkat(parent, item.base, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR) => match rustix::fs::unlinkat(parent, item.base, AtFlags::REMOVEDIR) {
                Ok(()) => Ok(()),
                Err(_) => Err(self.hostile(&item.name, "replaces a directory of the same layer")),
            },
            Err(error) => Err(self.failed(item, error)),
        }
    }

    fn count(&mut self, name: &str) -> Result<(), ImageError> {
        self.entries += 1;
        if name.len() > 4096 {
            return Err(self.hostile("…", "has a name longer than any path may be"));
        }
        if self.entries > self.limits.entries {
            return Err(self.too_large(format!("{} entries", self.limits.entries)));
        }
        self.take(ENTRY)
    }

    fn take(&mut self, bytes: u64) -> Result<(), ImageError> {
        self.bytes += bytes;
        if self.bytes > self.limits.bytes {
            return Err(self.too_large(format!("{} bytes", self.limits.bytes)));
        }
        if self.bytes > self.asked {
            self.asked = self.bytes + STEP;
            return (self.room)(self.bytes);
        }
        Ok(())
    }

    fn too_large(&self, limit: String) -> ImageError {
        ImageError::TooLarge { layer: self.layer.clone(), limit }
    }

    fn hostile(&self, entry: &str, reason: &'static str) -> ImageError {
        ImageError::Hostile { layer: self.layer.clone(), entry: entry.into(), reason }
    }

    fn dangling(&self, item: &Item<'_>) -> ImageError {
        let reason = format!("`{}` is a link to a file that the layer does not have", item.name);
        ImageError::Damaged { what: format!("the archive of layer {}", self.layer), reason }
    }

    fn failed(&self, item: &Item<'_>, error: impl Into<io::Error>) -> ImageError {
        ImageError::system(format!("unpack `{}` of layer {}", item.name, self.layer), error)
    }
}

/// Path components without `.`, empty ones and a leading `/`; `None` when it goes up.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    let up = parts.iter().any(|part| *part == b".." || part.contains(&0));
    (!up).then(|| parts.join(&b'/'))
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

fn beneath(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn kind_of(directory: &OwnedFd, name: &[u8]) -> Option<FileType> {
    let data = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(data.st_mode))
}

fn same_file(one: &OwnedFd, name: &[u8], other: &OwnedFd, its_name: &[u8]) -> bool {
    let look = |directory, name| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    matches!((look(one, name), look(other, its_name)), (Ok(one), Ok(other)) if one.st_ino == other.st_ino)
}

fn times(seconds: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
