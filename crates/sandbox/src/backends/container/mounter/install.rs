//! Inside the mount namespace of a container, before any command runs there: puts in what was built, takes out what is too much.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD};
use rustix::mount::{OpenTreeFlags, UnmountFlags};

use super::Mounts;
use super::build::{Built, Trees};
use crate::backends::container::stage;
use crate::backends::namespace::layout::{self, is_below};
use crate::backends::namespace::protocol::{Doing, Failure};
use crate::backends::namespace::template::Target;
use crate::backends::namespace::{root, setup, sys, template};

/// Devices and directories that engines show and no command needs: terminals, message queues.
const SUPERFLUOUS: &[&str] = &["/dev/mqueue", "/dev/pts", "/dev/ptmx", "/dev/tty", "/dev/console", "/dev/core"];

pub(super) fn install(mounts: &Mounts, trees: Trees, built: &Built) -> Result<(), Failure> {
    take_out();
    lock()?;
    // Engines hide less than a box does.
    setup::mask()?;
    for (path, tree) in
        [("/tmp", &built.temporary[0]), ("/var/tmp", &built.temporary[1]), ("/dev/shm", &built.shared_memory)]
    {
        template::attach(tree, path)?;
    }
    for (path, tree) in &built.files {
        template::attach(tree, path)?;
    }
    let shown = mounts.mounts.iter().zip(&trees.mounts).map(|(mount, tree)| (&mount.target, Some(tree)));
    let workdir = (mounts.workdir.clone(), true);
    let mut all: Vec<_> = shown.chain([(&workdir, None)]).collect();
    // Parents before children.
    all.sort_by_key(|((path, _), _)| path.matches('/').count());
    if let Some(root) = &built.root {
        return in_root(root, &all, built);
    }
    for ((path, directory), tree) in all {
        let private = layout::PRIVATE.iter().any(|private| is_below(path, private));
        if private || (tree.is_some() && is_below(path, &mounts.workdir)) {
            template::make_mount_point(path, *directory)?;
        }
        template::attach(tree.unwrap_or(&built.workdir), path).map_err(|failure| failure.about(path))?;
    }
    Ok(())
}

/// Puts a root together and makes it that of the container, which has not begun.
fn in_root(tree: &OwnedFd, all: &[(&Target, Option<&OwnedFd>)], built: &Built) -> Result<(), Failure> {
    template::attach(tree, stage::INSIDE)?;
    root::furnish(tree, built.user)?;
    for ((path, directory), shown) in all {
        root::place(tree, path, *directory, shown.unwrap_or(&built.workdir)).map_err(|failure| failure.about(path))?;
    }
    rustix::process::fchdir(tree).doing(|| "enter the root of the image".into())?;
    // This changes the root of the container's processes, too.
    rustix::process::pivot_root(".", ".").doing(|| "change the root".into())?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).doing(|| "detach the engine's root".into())?;
    rustix::process::chdir("/").doing(|| "enter the root of the image".into())
}

/// What cannot be taken out is not there.
fn take_out() {
    for path in ["/sys", stage::INSIDE] {
        let _ = rustix::mount::unmount(path, UnmountFlags::DETACH);
    }
    for path in SUPERFLUOUS {
        let _ = rustix::mount::unmount(*path, UnmountFlags::DETACH);
        let _ = rustix::fs::unlinkat(CWD, *path, AtFlags::empty());
        let _ = rustix::fs::unlinkat(CWD, *path, AtFlags::REMOVEDIR);
    }
}

/// Makes everything that the engine mounted read-only, whatever the mode of its directories; processes still find theirs in `/proc`.
fn lock() -> Result<(), Failure> {
    let tree = |path: &str| {
        rustix::mount::open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLOEXEC).doing(|| format!("open {path}"))
    };
    sys::set_mount_attributes(tree("/")?, libc::MOUNT_ATTR_RDONLY, None, true).doing(|| "lock the root".into())?;
    sys::clear_mount_attributes(tree("/proc")?, libc::MOUNT_ATTR_RDONLY).doing(|| "unlock /proc".into())
}
