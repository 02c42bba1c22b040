//! A root of its own, that of an image for example: its layers with a copy-on-write view, in place of the host's system.
//!
//! The layers are hostile. Paths in them are resolved as if the root were the whole world, and marks for what is gone are those of
//! overlayfs. Leaving the template by `chroot` instead of a new mount root costs nothing however many processes the machine has;
//! whoever got out again, for which commands lack the capability, would see what other boxes see.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags};

use super::changes::{is_opaque, is_whiteout};
use super::layout::{ROOT, ROOT_UPPER};
use super::protocol::{Doing, Failure};
use super::{beneath, setup, template, userns};
use crate::SandboxError;

/// What every box has, whatever its root: from where, to where, and whether it is a directory.
const COMMON: &[(&str, &str, bool)] = &[
    ("/proc", "/proc", true),
    ("/dev", "/dev", true),
    ("/tmp", "/tmp", true),
    ("/var/tmp", "/var/tmp", true),
    ("/etc/hosts", "/etc/hosts", false),
    ("/etc/hostname", "/etc/hostname", false),
];

/// The directories that layers of a root have at `path`, as far as they are visible, lowest first.
pub(super) fn layers_at(root: &[PathBuf], path: &str) -> Result<Vec<PathBuf>, SandboxError> {
    let wrong = |reason: &str| SandboxError::Spec { path: path.into(), reason: reason.into() };
    let path = path.trim_start_matches('/');
    let mut found = Vec::new();
    for layer in root.iter().rev() {
        let top =
            File::open(layer).map_err(|error| SandboxError::system(format!("open {}", layer.display()), error))?;
        match look(&top.into(), path) {
            Seen::Directory { last } => {
                found.push(layer.join(path));
                if last {
                    break;
                }
            }
            Seen::Nothing { last: false } => {}
            Seen::Nothing { last: true } => break,
            Seen::Link => return Err(wrong("is reached through a link in the image; name the directory itself")),
            Seen::Other => return Err(wrong("is no directory in the image")),
        }
    }
    found.reverse();
    Ok(found)
}

/// What one layer has at a path; `last` when it hides what lower layers have there.
enum Seen {
    Directory { last: bool },
    Nothing { last: bool },
    Link,
    Other,
}

fn look(layer: &OwnedFd, path: &str) -> Seen {
    let mut last = is_opaque(layer);
    let ends = path.match_indices('/').map(|(index, _)| index).chain([path.len()]);
    for way in ends.map(|end| &path[..end]) {
        let Ok(found) = beneath::open(layer, way, OFlags::PATH | OFlags::NOFOLLOW) else {
            return Seen::Nothing { last };
        };
        let Ok(data) = rustix::fs::fstat(&found) else { return Seen::Nothing { last } };
        match FileType::from_raw_mode(data.st_mode) {
            FileType::Directory => {}
            FileType::Symlink => return Seen::Link,
            _ if is_whiteout(&data) => return Seen::Nothing { last: true },
            _ => return Seen::Other,
        }
        let readable = beneath::open(layer, way, OFlags::RDONLY | OFlags::DIRECTORY);
        last |= readable.is_ok_and(|directory| is_opaque(&directory));
    }
    Seen::Directory { last }
}

/// Mounts a root of `layers` with what every box has in it; the working directory is the stage.
pub(super) fn mount(layers: &[OwnedFd]) -> Result<OwnedFd, Failure> {
    let lower = setup::attach_layers(layers, "root-")?;
    let options = format!("lowerdir={lower},upperdir={ROOT_UPPER},workdir=root-work,userxattr");
    setup::mount("overlay", ROOT, MountFlags::NOSUID | MountFlags::NODEV, &options)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, ROOT, flags, Mode::empty()).doing(|| format!("open {ROOT}"))?;
    furnish(&root, userns::INSIDE)?;
    Ok(root)
}

/// Puts into a root what every box has, and a name for its user.
pub(in crate::backends) fn furnish(root: &OwnedFd, user: u32) -> Result<(), Failure> {
    for (source, target, directory) in COMMON {
        let tree = template::clone_tree(Path::new(source), true)?;
        place(root, target, *directory, &tree).map_err(|failure| failure.about(*target))?;
    }
    // Images of programs alone have no list of users, and need none.
    let _ = add_user(root, user);
    Ok(())
}

/// Makes `root` the root of this process, from which there is no way back without capabilities.
pub(super) fn enter(root: &OwnedFd) -> Result<(), Failure> {
    rustix::process::fchdir(root)
        .and_then(|()| rustix::process::chroot("."))
        .and_then(|()| rustix::process::chdir("/"))
        .doing(|| "enter the root of the image".into())
}

/// Mounts a detached tree at a path of `root`, wherever links lead in it; makes what is not there.
pub(in crate::backends) fn place(root: &OwnedFd, path: &str, directory: bool, tree: &OwnedFd) -> Result<(), Failure> {
    let target = open_or_make(root, path, directory).doing(|| format!("make the mount point {path}"))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", &target, "", flags).doing(|| format!("mount at {path}"))
}

fn open_or_make(root: &OwnedFd, path: &str, directory: bool) -> Result<OwnedFd, Errno> {
    let path = path.trim_start_matches('/');
    let mut parent = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    let ends = path.match_indices('/').map(|(index, _)| index).chain([path.len()]);
    for end in ends {
        parent = match inside(root, &path[..end], OFlags::PATH) {
            Err(Errno::NOENT) => {
                let name = path[..end].rsplit('/').next().unwrap_or_default();
                if end < path.len() || directory {
                    rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                } else {
                    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                    rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644))?;
                }
                inside(root, &path[..end], OFlags::PATH)?
            }
            other => other?,
        };
    }
    Ok(parent)
}

/// Opens a path as if `root` were the root of everything.
fn inside(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Gives the user of the box a name, because programs look for one.
fn add_user(root: &OwnedFd, user: u32) -> std::io::Result<()> {
    const LONGEST: u64 = 1 << 20;
    let known = rustix::fs::statat(root.as_fd(), "etc/passwd", AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(known.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    let mut file = File::from(inside(root, "etc/passwd", OFlags::RDWR | OFlags::NOFOLLOW)?);
    let mut text = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut text)?;
    let id = user.to_string();
    if text.lines().any(|line| line.split(':').nth(2) == Some(&id)) {
        return Ok(());
    }
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    writeln!(file, "{gap}user:x:{id}:{id}::/tmp:/bin/sh")
}
