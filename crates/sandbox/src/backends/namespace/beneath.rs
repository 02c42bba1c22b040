//! Opens files below a directory that hostile code writes to, following no links and leaving it on no way.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Opens `path` below `root` with exactly these flags; the empty path is `root` itself.
pub(super) fn open(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve =
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let path = if path.as_ref().as_os_str().is_empty() { Path::new(".") } else { path.as_ref() };
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
    Ok(rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, mode, resolve)?)
}

/// Opens a regular file for reading; never waits for a fifo.
pub(super) fn read(root: impl AsFd, path: impl AsRef<Path>) -> io::Result<File> {
    checked(path.as_ref())?;
    regular(open(root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?)
}

/// Opens a regular file for writing, empties it, and makes it and its parents if they are missing.
pub(super) fn create(root: impl AsFd, path: &str) -> io::Result<File> {
    checked(Path::new(path))?;
    make_parents(&root, path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = regular(open(root, path, flags)?)?;
    file.set_len(0)?;
    Ok(file)
}

/// Whether an error of this module means that the path is not a regular file inside.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ELOOP | libc::EXDEV | libc::EISDIR | libc::ENXIO | libc::EINVAL | libc::ENODEV | libc::EAGAIN)
    )
}

/// Refuses paths that are absolute, go up, or name no file.
fn checked(path: &Path) -> io::Result<()> {
    let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() || bytes.ends_with(b"/") || !path.components().all(inside) {
        return Err(Errno::XDEV.into());
    }
    Ok(())
}

fn make_parents(root: impl AsFd, path: &str) -> io::Result<()> {
    let mut directory = open(&root, "", OFlags::PATH | OFlags::DIRECTORY)?;
    for component in Path::new(path).parent().into_iter().flat_map(Path::components) {
        let name = component.as_os_str().to_str().expect("a component of a string is a string");
        match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        directory = open(&directory, name, OFlags::PATH | OFlags::DIRECTORY)?;
    }
    Ok(())
}

fn regular(file: OwnedFd) -> io::Result<File> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if kind == FileType::RegularFile { Ok(file.into()) } else { Err(Errno::INVAL.into()) }
}
