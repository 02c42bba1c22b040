//! The read-only root that boxes share: a mount namespace with the host's `/usr`, a synthetic `/etc` and `/dev`, and
//! the mount points of a specification. Made once per set of mount points, because changing the root of a process
//! costs time in proportion to the processes on the machine.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags};

use super::layout::{self, is_below};
use super::protocol::{Doing, Failure};
use super::sys;

/// A mount point of the specification: its path and whether it is a directory.
pub(in crate::backends) type Target = (String, bool);

/// The templates made so far, oldest first.
pub(super) struct Templates {
    host: OwnedFd,
    made: Vec<(Vec<Target>, OwnedFd)>,
}

impl Templates {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { host: current_namespace()?, made: Vec::new() })
    }

    /// Runs `action` inside the template with these mount points.
    pub(super) fn inside<T>(&mut self, targets: &[Target], action: impl FnOnce() -> T) -> Result<T, Failure> {
        let index = match self.made.iter().position(|(known, _)| known == targets) {
            Some(index) => index,
            None => self.make(targets)?,
        };
        enter(&self.made[index].1)?;
        let result = action();
        enter(&self.host)?;
        Ok(result)
    }

    fn make(&mut self, targets: &[Target]) -> Result<usize, Failure> {
        const KEPT: usize = 32;
        if self.made.len() == KEPT {
            self.made.remove(0);
        }
        let made = sys::unshare(libc::CLONE_NEWNS)
            .doing(|| "make a mount namespace".into())
            .and_then(|()| build(targets))
            .and_then(|()| current_namespace());
        enter(&self.host)?;
        self.made.push((targets.to_vec(), made?));
        Ok(self.made.len() - 1)
    }
}

fn current_namespace() -> Result<OwnedFd, Failure> {
    Ok(fs::File::open("/proc/self/ns/mnt").doing(|| "open the mount namespace /proc/self/ns/mnt".into())?.into())
}

fn enter(namespace: &OwnedFd) -> Result<(), Failure> {
    let kind = Some(rustix::thread::LinkNameSpaceType::Mount);
    rustix::thread::move_into_link_name_space(namespace.as_fd(), kind).doing(|| "enter a mount namespace".into())
}

/// Builds the root in a fresh mount namespace and makes it the root of the process.
fn build(targets: &[Target]) -> Result<(), Failure> {
    // Any directory that exists on every machine will do: the host does not see this namespace.
    const ROOT: &str = "/tmp";
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).doing(|| "make mounts private".into())?;
    let system = System::open()?;
    rustix::mount::mount("tmpfs", ROOT, "tmpfs", MountFlags::NOSUID, Some(c"mode=755,size=4m"))
        .doing(|| "mount the root of the template".into())?;
    std::env::set_current_dir(ROOT).doing(|| "enter the root of the template".into())?;
    make_directories(targets)?;
    make_files()?;
    system.attach()?;
    rustix::process::pivot_root(".", ".").doing(|| "change the root".into())?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).doing(|| "detach the host's root".into())?;
    std::env::set_current_dir("/").doing(|| "enter the new root".into())?;
    let root = open_tree(Path::new("/"), OpenTreeFlags::empty())?;
    sys::set_mount_attributes(&root, libc::MOUNT_ATTR_RDONLY, None, false).doing(|| "lock the root".into())
}

/// Host trees that a root is made of, opened while the host is still in view.
struct System {
    mounts: Vec<(String, OwnedFd)>,
    links: Vec<(String, std::path::PathBuf)>,
}

impl System {
    fn open() -> Result<Self, Failure> {
        let mut system = Self { mounts: Vec::new(), links: Vec::new() };
        system.add_read_only("/usr")?;
        for path in layout::SYSTEM {
            match fs::symlink_metadata(path) {
                Ok(data) if data.is_symlink() => {
                    let target = fs::read_link(path).doing(|| format!("read the link {path}"))?;
                    system.links.push(((*path).into(), target));
                }
                Ok(_) => system.add_read_only(path)?,
                Err(_) => {}
            }
        }
        for path in layout::DEVICES {
            system.mounts.push(((*path).into(), clone_tree(Path::new(path), false)?));
        }
        // Only covered by the box's own: the kernel lets a box mount `proc` if it already sees one.
        system.mounts.push(("/proc".into(), clone_tree(Path::new("/proc"), true)?));
        Ok(system)
    }

    fn add_read_only(&mut self, path: &str) -> Result<(), Failure> {
        let tree = clone_tree(Path::new(path), true)?;
        sys::set_mount_attributes(&tree, READ_ONLY, None, true).doing(|| format!("make {path} read-only"))?;
        self.mounts.push((path.into(), tree));
        Ok(())
    }

    fn attach(self) -> Result<(), Failure> {
        for (path, target) in self.links {
            symlink(&target, relative(&path)).doing(|| format!("link {path}"))?;
        }
        for (path, tree) in self.mounts {
            attach(&tree, relative(&path))?;
        }
        Ok(())
    }
}

/// What every host directory is shown with.
pub(in crate::backends) const READ_ONLY: u64 =
    libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// A detached copy of the mount at `path`, with what is mounted below if `recursive`.
pub(in crate::backends) fn clone_tree(path: &Path, recursive: bool) -> Result<OwnedFd, Failure> {
    let recursive = if recursive { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    open_tree(path, OpenTreeFlags::OPEN_TREE_CLONE | recursive)
}

fn open_tree(path: &Path, flags: OpenTreeFlags) -> Result<OwnedFd, Failure> {
    rustix::mount::open_tree(CWD, path, flags | OpenTreeFlags::OPEN_TREE_CLOEXEC)
        .doing(|| format!("open the tree {}", path.display()))
}

/// Mounts a detached tree at `target`.
pub(in crate::backends) fn attach(tree: &OwnedFd, target: &str) -> Result<(), Failure> {
    let flags = rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", CWD, target, flags).doing(|| format!("mount at {target}"))
}

fn make_directories(targets: &[Target]) -> Result<(), Failure> {
    for path in layout::DIRECTORIES {
        fs::create_dir_all(relative(path)).doing(|| format!("make {path}"))?;
    }
    for (path, directory) in targets {
        let own = layout::PRIVATE.iter().any(|private| is_below(path, private));
        let system = is_below(path, "/usr") || layout::SYSTEM.iter().any(|system| is_below(path, system));
        if !own && !system {
            make_mount_point(relative(path), *directory)?;
        }
    }
    Ok(())
}

/// Makes a directory or an empty file with its parents, unless it is there.
pub(in crate::backends) fn make_mount_point(path: &str, directory: bool) -> Result<(), Failure> {
    let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
    let made = if Path::new(path).exists() {
        Ok(())
    } else if directory {
        fs::create_dir_all(path)
    } else {
        fs::create_dir_all(parent).and_then(|()| fs::write(path, ""))
    };
    made.doing(|| format!("make the mount point {path}"))
}

fn make_files() -> Result<(), Failure> {
    for (path, text) in layout::FILES {
        fs::write(relative(path), text).doing(|| format!("write {path}"))?;
    }
    for path in layout::DEVICES {
        fs::write(relative(path), "").doing(|| format!("write {path}"))?;
    }
    for (path, target) in layout::LINKS {
        symlink(target, relative(path)).doing(|| format!("link {path}"))?;
    }
    // Without the cache programs still run; they only search longer.
    let _ = fs::copy("/etc/ld.so.cache", "etc/ld.so.cache");
    copy_alternatives();
    Ok(())
}

/// Debian reaches some programs, `awk` for example, through links in `/etc/alternatives`.
fn copy_alternatives() {
    for entry in fs::read_dir("/etc/alternatives").into_iter().flatten().flatten() {
        if let Ok(target) = fs::read_link(entry.path()) {
            // A missing alternative is a missing program, not a broken root.
            let _ = symlink(target, Path::new("etc/alternatives").join(entry.file_name()));
        }
    }
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}
