//! Makes the mounts of one container where nobody sees them: one tmpfs for all that is written, the overlay over the layers.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::mount::MountFlags;

use super::Mounts;
use crate::backends::namespace::protocol::{Doing, Failure};
use crate::backends::namespace::userns::Maps;
use crate::backends::namespace::{layout, setup, sys, template};

/// Where the tmpfs is mounted meanwhile. Any directory that exists on every machine will do.
pub(super) const PLACE: &str = "/tmp";

/// Host directories, ready to be mounted.
pub(super) struct Trees {
    root: Vec<OwnedFd>,
    layers: Vec<OwnedFd>,
    pub(super) mounts: Vec<OwnedFd>,
}

/// What was made: detached trees, and the root of the tmpfs.
pub(super) struct Built {
    /// A root of its own, if it has one.
    pub(super) root: Option<OwnedFd>,
    pub(super) workdir: OwnedFd,
    pub(super) temporary: [OwnedFd; 2],
    pub(super) shared_memory: OwnedFd,
    /// Read-only files and where they belong.
    pub(super) files: Vec<(&'static str, OwnedFd)>,
    pub(super) stage: OwnedFd,
    /// The user of the container, as it sees it.
    pub(super) user: u32,
}

/// Opens layers and mounts; with `maps` they are shown as owned by the container's user.
pub(super) fn open(mounts: &Mounts, mut maps: Option<&mut Maps>) -> Result<Trees, Failure> {
    let mut tree = |path: &Path, attributes: u64| -> Result<OwnedFd, Failure> {
        // What is mounted below cannot be left out by an ordinary user.
        let tree = template::clone_tree(path, maps.is_none())?;
        match &mut maps {
            Some(maps) => {
                let data = rustix::fs::fstat(&tree).doing(|| "read the owner".into())?;
                let map = maps.get((data.st_uid, data.st_gid), mounts.owner)?;
                sys::set_mount_attributes(&tree, attributes, Some(map), false)
                    .doing(|| "id-map (the file system must support it)".into())?;
            }
            None if attributes != 0 => {
                sys::set_mount_attributes(&tree, attributes, None, true).doing(|| "make read-only".into())?;
            }
            None => {}
        }
        Ok(tree)
    };
    let mut blamed = |path: &PathBuf, attributes| tree(path, attributes).map_err(|failure| failure.about(path));
    let root = mounts.root.iter().map(|path| blamed(path, 0)).collect::<Result<_, _>>()?;
    let layers = mounts.layers.iter().map(|path| blamed(path, 0)).collect::<Result<_, _>>()?;
    let shown = mounts.mounts.iter().map(|mount| &mount.source);
    let mounts = shown.map(|path| blamed(path, template::READ_ONLY)).collect::<Result<_, _>>()?;
    Ok(Trees { root, layers, mounts })
}

/// Mounts everything at [`PLACE`] and takes it off again as detached trees.
pub(super) fn build(mounts: &Mounts, trees: &Trees, mapped: bool) -> Result<Built, Failure> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = format!("mode=755,size={},nr_inodes={}", mounts.disk_bytes.max(64 << 10), mounts.files);
    setup::mount("tmpfs", PLACE, flags, &options)?;
    std::env::set_current_dir(PLACE).doing(|| "enter the work place".into())?;
    let owner = mapped.then_some(mounts.owner);
    for (name, mode) in layout::FILES_OF_BOX.iter().chain(&[("work", 0o755), ("root-work", 0o755)]) {
        make(name, *mode, owner)?;
    }
    let workdir =
        overlay(&trees.layers, "", layout::UPPER, "work").map_err(|failure| failure.about(&mounts.workdir))?;
    let root = match trees.root.is_empty() {
        true => None,
        false => Some(overlay(&trees.root, "root-", layout::ROOT_UPPER, "root-work")?),
    };
    let files = [("passwd", "/etc/passwd", passwd as fn(u32) -> String), ("group", "/etc/group", group)];
    let inside = if mapped { mounts.owner.0 } else { 0 };
    let mut shown = Vec::new();
    for (name, target, text) in files {
        fs::write(name, text(inside)).doing(|| format!("write {name}"))?;
        let tree = template::clone_tree(Path::new(name), false)?;
        sys::set_mount_attributes(&tree, template::READ_ONLY, None, false).doing(|| "make read-only".into())?;
        shown.push((target, tree));
    }
    let tree = |name: &str| template::clone_tree(Path::new(name), false);
    Ok(Built {
        root,
        workdir,
        temporary: [tree("tmp")?, tree("tmp")?],
        shared_memory: tree("shm")?,
        files: shown,
        stage: directory(".")?,
        user: inside,
    })
}

fn make(name: &str, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Failure> {
    fs::create_dir(name).doing(|| format!("make {name}"))?;
    rustix::fs::chmod(name, Mode::from_raw_mode(mode)).doing(|| format!("open {name}"))?;
    if let Some((user, group)) = owner {
        rustix::fs::chown(name, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
            .doing(|| format!("give {name} to the container"))?;
    }
    Ok(())
}

/// A view of layers, as a detached tree.
fn overlay(layers: &[OwnedFd], prefix: &str, upper: &str, work: &str) -> Result<OwnedFd, Failure> {
    let lower = setup::attach_layers(layers, prefix)?;
    let view = format!("{prefix}view");
    fs::create_dir(&view).doing(|| format!("make {view}"))?;
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work},userxattr");
    setup::mount("overlay", &view, MountFlags::NOSUID | MountFlags::NODEV, &options)?;
    template::clone_tree(Path::new(&view), false)
}

fn passwd(user: u32) -> String {
    format!("user:x:{user}:{user}::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
}

fn group(user: u32) -> String {
    format!("user:x:{user}:\nnogroup:x:65534:\n")
}

fn directory(path: &str) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD.as_fd(), path, flags, Mode::empty()).doing(|| format!("open {path}"))
}
