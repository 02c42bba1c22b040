//! What a new box does to itself before the first command: identity and the file view.
//!
//! It runs inside the template's root with all capabilities of its own user namespace and none of the host's.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::{DumpableBehavior, Gid, Signal, Uid};

use super::entries;
use super::layout::{self, STAGE, is_below};
use super::protocol::{BoxReply, BoxRequest, BoxSpec, Channel, Doing, Failure};
use super::trees::Trees;
use super::{confine, namespaces, root, sys, template, userns};

/// What the controller gets to look at the box from outside.
pub(super) struct View {
    pub(super) workdir: OwnedFd,
    /// The tmpfs, with the directories of [`layout::FILES_OF_BOX`].
    pub(super) stage: OwnedFd,
}

/// The same for a process whose mounts others have made; they know the tmpfs.
pub(super) fn look(workdir: &str) -> Result<View, Failure> {
    Ok(View { workdir: open_directory(workdir)?, stage: open_directory(workdir)? })
}

/// Whether a box was cloned inside the namespaces of [`namespaces::renew`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Born {
    Inside,
    Outside,
}

/// What a cloned process can do before it has an identity, which its keeper gives it meanwhile.
pub(super) fn begin(born: Born) -> Result<(), Failure> {
    if born == Born::Outside {
        namespaces::renew()?;
    }
    sys::leave_keyring();
    mount("proc", "/proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, "")?;
    // Commands get no namespaces of their own, in which they would be root.
    fs::write("/proc/sys/user/max_user_namespaces", "0").doing(|| "forbid user namespaces".into())?;
    // All boxes of an ordinary user share that user's watches; a kernel without the limit has no such quota either.
    let _ = fs::write("/proc/sys/user/max_inotify_instances", "16");
    mask()
}

/// Takes the identity and makes the private directories, whatever the specification will be.
pub(super) fn set_up() -> Result<OwnedFd, Failure> {
    take_identity()?;
    confine::forgo_privileges()?;
    make_stage()
}

/// Turns a process that is set up, with its tmpfs `stage`, into the box of `spec`.
pub(super) fn complete(spec: &BoxSpec, trees: Trees, stage: OwnedFd, channel: &Channel) -> Result<View, Failure> {
    limit_stage(spec)?;
    if spec.filled {
        fill(&stage, channel)?;
    }
    let root = if trees.root.is_empty() { None } else { Some(root::mount(&trees.root)?) };
    let lower = attach_layers(&trees.layers, "")?;
    mount_targets(spec, &trees.mounts, &lower, root.as_ref())?;
    std::env::set_current_dir("/").doing(|| "leave the stage".into())?;
    rustix::mount::unmount(STAGE, UnmountFlags::DETACH).doing(|| "remove the stage".into())?;
    if let Some(root) = root {
        root::enter(&root)?;
    }
    Ok(View { workdir: open_directory(&spec.workdir)?, stage })
}

/// Hides what `proc` tells about the machine, and keeps its settings from being written.
pub(in crate::backends) fn mask() -> Result<(), Failure> {
    let hidden = layout::MASKED_FILES.iter().map(|path| ("/dev/null", path));
    for (cover, path) in hidden.chain(layout::MASKED_DIRECTORIES.iter().map(|path| (layout::NOTHING, path))) {
        match rustix::mount::mount_bind(cover, *path) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error).doing(|| format!("hide {path}")),
        }
    }
    let settings = template::clone_tree(Path::new(SETTINGS), false)?;
    sys::set_mount_attributes(&settings, libc::MOUNT_ATTR_RDONLY, None, false)
        .doing(|| format!("make {SETTINGS} read-only"))?;
    template::attach(&settings, SETTINGS)
}

const SETTINGS: &str = "/proc/sys";

fn take_identity() -> Result<(), Failure> {
    let (user, group) = (Uid::from_raw(userns::INSIDE), Gid::from_raw(userns::INSIDE));
    rustix::thread::set_thread_res_gid(group, group, group).doing(|| "set the group".into())?;
    rustix::thread::set_thread_res_uid(user, user, user).doing(|| "set the user".into())?;
    // After the change of identity, which clears it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "bind to the spawner".into())?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(|| "become undumpable".into())
}

/// Mounts the tmpfs of the box and enters it.
fn make_stage() -> Result<OwnedFd, Failure> {
    mount("tmpfs", STAGE, STAGE_FLAGS, "mode=755,size=64k,nr_inodes=32")?;
    std::env::set_current_dir(STAGE).doing(|| "enter the stage".into())?;
    for (name, mode) in layout::FILES_OF_BOX.iter().chain(&[("work", 0o755), ("root-work", 0o755)]) {
        rustix::fs::mkdir(*name, Mode::from_raw_mode(0o755)).doing(|| format!("make {name}"))?;
        rustix::fs::chmod(*name, Mode::from_raw_mode(*mode)).doing(|| format!("open {name}"))?;
    }
    for (name, target) in [("tmp", "/tmp"), ("tmp", "/var/tmp"), ("shm", "/dev/shm")] {
        rustix::mount::mount_bind(name, target).doing(|| format!("mount {target}"))?;
    }
    open_directory(".")
}

const STAGE_FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Gives the tmpfs its limits.
fn limit_stage(spec: &BoxSpec) -> Result<(), Failure> {
    let size = spec.limits.disk_bytes.max(64 << 10);
    let options = format!("size={size},nr_inodes={}", inodes(spec.limits.files));
    let options = std::ffi::CString::new(options).expect("options have no NUL");
    rustix::mount::mount_remount(STAGE, STAGE_FLAGS, options).doing(|| "limit the files of a box".into())
}

/// Makes the files that the controller takes from another box.
fn fill(stage: &OwnedFd, channel: &Channel) -> Result<(), Failure> {
    channel.send(&BoxReply::Empty, &[]).doing(|| "ask for files".into())?;
    loop {
        match channel.receive().doing(|| "read a file to make".into())? {
            Some((BoxRequest::Make(entry), descriptors)) => {
                let bytes = descriptors.into_iter().next().map(fs::File::from);
                entries::make(stage, &entry, bytes.as_ref()).doing(|| format!("make {}", entry.path.display()))?;
            }
            Some((BoxRequest::Filled, _)) => {
                return channel.send(&BoxReply::Full, &[]).doing(|| "say that all files are made".into());
            }
            _ => sys::exit(0),
        }
    }
}

/// The file view of the box itself takes a few.
fn inodes(files: u64) -> u64 {
    files.saturating_add(32)
}

/// Puts the layers on the stage under names that begin with `prefix`; returns them for overlayfs, topmost first.
pub(in crate::backends) fn attach_layers(layers: &[OwnedFd], prefix: &str) -> Result<String, Failure> {
    let mut names = Vec::new();
    if layers.is_empty() {
        // The directory of a root that has nothing there.
        fs::create_dir("nothing").doing(|| "make nothing".into())?;
        names.push("nothing".to_owned());
    }
    for (index, layer) in layers.iter().enumerate() {
        let name = format!("{prefix}{index}");
        fs::create_dir(&name).doing(|| format!("make {name}"))?;
        template::attach(layer, &name)?;
        names.push(name);
    }
    names.reverse();
    Ok(names.join(":"))
}

/// Mounts the working directory and the mounts of the specification, parents before children.
fn mount_targets(spec: &BoxSpec, trees: &[OwnedFd], lower: &str, root: Option<&OwnedFd>) -> Result<(), Failure> {
    let workdir = (spec.workdir.clone(), true);
    let mounts = spec.mounts.iter().zip(trees).map(|(mount, tree)| (Some(tree), &mount.target));
    let mut all: Vec<_> = mounts.chain([(None, &workdir)]).collect();
    all.sort_by_key(|(_, (path, _))| path.matches('/').count());
    for (tree, (path, directory)) in all {
        if let Some(root) = root {
            let placed = match tree {
                Some(tree) => root::place(root, path, *directory, tree),
                None => overlay_tree(lower).and_then(|tree| root::place(root, path, true, &tree)),
            };
            placed.map_err(|failure| failure.about(path))?;
            continue;
        }
        let here = layout::PRIVATE.iter().any(|private| is_below(path, private));
        if here || (tree.is_some() && is_below(path, &spec.workdir)) {
            template::make_mount_point(path, *directory)?;
        }
        match tree {
            Some(tree) => template::attach(tree, path).map_err(|failure| failure.about(path))?,
            None => mount_overlay(path, lower)?,
        }
    }
    Ok(())
}

fn mount_overlay(target: &str, lower: &str) -> Result<(), Failure> {
    let options = format!("lowerdir={lower},upperdir=upper,workdir=work,userxattr");
    mount("overlay", target, MountFlags::NOSUID | MountFlags::NODEV, &options).map_err(|failure| failure.about(target))
}

/// The same as a detached tree.
fn overlay_tree(lower: &str) -> Result<OwnedFd, Failure> {
    fs::create_dir("view").doing(|| "make view".into())?;
    mount_overlay("view", lower)?;
    template::clone_tree(Path::new("view"), false)
}

pub(in crate::backends) fn mount(kind: &str, target: &str, flags: MountFlags, options: &str) -> Result<(), Failure> {
    let options = std::ffi::CString::new(options).expect("options have no NUL");
    rustix::mount::mount(kind, target, kind, flags, Some(options.as_c_str()))
        .doing(|| format!("mount {kind} at {target}"))
}

fn open_directory(path: &str) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).doing(|| format!("open {path}"))
}
