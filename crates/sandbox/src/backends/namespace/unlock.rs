//! Access to what hostile code made unreadable for its own user, who is also the controller's when that is not root.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::beneath;

/// Result of an action, and the modes to put back when it is no longer used.
pub(super) type Unlocked<T> = (T, Locks);

/// Files and directories that were made readable for a while.
#[derive(Default)]
pub(super) struct Locks(Vec<(OwnedFd, u32)>);

/// Runs `action`; if that is denied, makes `path` and the directories on its way readable and runs it again.
pub(super) fn unlocking<T>(
    root: impl AsFd,
    path: impl AsRef<Path>,
    action: impl Fn() -> io::Result<T>,
) -> io::Result<Unlocked<T>> {
    match action() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let locks = Locks::open(root, path.as_ref())?;
            Ok((action()?, locks))
        }
        other => Ok((other?, Locks::default())),
    }
}

/// Makes `path` and the directories on its way writable for a while, as far as they are there.
pub(super) fn for_writing(root: impl AsFd, path: &str) -> io::Result<Locks> {
    let mut locks = Locks::default();
    locks.add(root.as_fd().try_clone_to_owned()?, 0o700, 0o600)?;
    for step in ways(Path::new(path)) {
        match beneath::open(&root, step, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => locks.add(fd, 0o700, 0o600)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(locks)
}

/// Each step from the root down to `path`.
fn ways(path: &Path) -> Vec<&Path> {
    let mut way: Vec<&Path> = path.ancestors().filter(|step| !step.as_os_str().is_empty()).collect();
    way.reverse();
    way
}

impl Locks {
    fn open(root: impl AsFd, path: &Path) -> io::Result<Self> {
        let mut locks = Self::default();
        // The root may have been locked too, and then nothing can be looked up in it.
        locks.add(root.as_fd().try_clone_to_owned()?, 0o500, 0o400)?;
        for step in ways(path) {
            locks.add(beneath::open(&root, step, OFlags::PATH | OFlags::NOFOLLOW)?, 0o500, 0o400)?;
        }
        Ok(locks)
    }

    fn add(&mut self, fd: OwnedFd, directory: u32, file: u32) -> io::Result<()> {
        let mode = rustix::fs::fstat(&fd)?.st_mode;
        let wanted = match FileType::from_raw_mode(mode) {
            FileType::Directory => directory,
            FileType::RegularFile => file,
            _ => 0,
        };
        if mode & wanted != wanted {
            change(&fd, mode | wanted)?;
            self.0.push((fd, mode));
        }
        Ok(())
    }

    /// What is known about a file, with the mode that it had before it was unlocked.
    pub(super) fn original(&self, mut data: Stat) -> Stat {
        for (fd, mode) in &self.0 {
            if rustix::fs::fstat(fd).is_ok_and(|locked| (locked.st_dev, locked.st_ino) == (data.st_dev, data.st_ino)) {
                data.st_mode = *mode;
            }
        }
        data
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        for (fd, mode) in self.0.drain(..).rev() {
            // Whoever changes it meanwhile has the last word.
            let _ = change(&fd, mode);
        }
    }
}

fn change(fd: &OwnedFd, mode: u32) -> io::Result<()> {
    // The descriptor is of the path kind, which `fchmod` refuses; it cannot be a link, so nothing is followed.
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode & 0o7777))?)
}
