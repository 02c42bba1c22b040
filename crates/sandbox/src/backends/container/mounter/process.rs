//! The process itself: enters the namespaces of one container after the other.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::LinkNameSpaceType;

use super::{Mounts, NAME, Reply, build, install};
use crate::backends::namespace::protocol::{Channel, Doing, Failure};
use crate::backends::namespace::userns::{Identities, Maps};
use crate::backends::namespace::{entry, sys};

/// Never returns in the mounter; does nothing in any other process.
pub(in crate::backends) fn enter(arguments: &[u8]) {
    if arguments.split(|byte| *byte == 0).next() != Some(NAME.as_bytes()) {
        return;
    }
    if let Some(control) = entry::adopt_control() {
        let control = Channel::new(control);
        let mut home = None;
        while let Ok(Some((mounts, namespaces))) = control.receive::<Mounts>() {
            // Whoever does not hear this is gone, which the next look shows.
            let _ = match serve(&mounts, namespaces, &mut home) {
                Ok(view) => control.send(&Reply::Mounted, &view.each_ref().map(|fd| fd.as_fd())),
                Err(failure) => control.send(&Reply::Failed(failure), &[]),
            };
        }
        sys::exit(0);
    }
    sys::exit(1);
}

/// Mounts into one container; `home` is this process's own view, made for the first one.
fn serve(mounts: &Mounts, namespaces: Vec<OwnedFd>, home: &mut Option<OwnedFd>) -> Result<[OwnedFd; 2], Failure> {
    let [user, mount] = <[OwnedFd; 2]>::try_from(namespaces).map_err(|_| lost_descriptors())?;
    let mapped = Identities::of_this_process().are_mapped();
    if home.is_none() {
        if !mapped {
            join(&user)?;
        }
        *home = Some(own_view()?);
    }
    let home = home.as_ref().expect("it was just made");
    // Before the work place covers what lies below it.
    let trees = build::open(mounts, mapped.then(Maps::default).as_mut())?;
    let built = build::build(mounts, &trees, mapped);
    std::env::set_current_dir("/").doing(|| "leave the work place".into())?;
    // Everything that is used is also held by a descriptor.
    let _ = rustix::mount::unmount(build::PLACE, UnmountFlags::DETACH);
    let built = built?;
    enter_mounts(&mount)?;
    let installed = install::install(mounts, trees, &built);
    enter_mounts(home)?;
    installed?;
    Ok([built.workdir, built.stage])
}

fn lost_descriptors() -> Failure {
    Failure::new("receive the namespaces of a container", &std::io::ErrorKind::NotConnected.into())
}

/// Enters the user namespace of an engine that belongs to this user, which all its containers are in.
fn join(user: &OwnedFd) -> Result<(), Failure> {
    let own = std::fs::metadata("/proc/self/ns/user").doing(|| "look at the user namespace".into())?;
    let wanted = rustix::fs::fstat(user).doing(|| "look at the user namespace of a container".into())?;
    if own.ino() == wanted.st_ino {
        return Ok(());
    }
    rustix::thread::move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))
        .doing(|| "enter the user namespace of the engine".into())
}

/// A mount namespace whose mounts nobody else sees, and which sees what others mount later.
fn own_view() -> Result<OwnedFd, Failure> {
    sys::unshare(libc::CLONE_NEWNS).doing(|| "make a mount namespace".into())?;
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", downstream).doing(|| "keep mounts to itself".into())?;
    let file = std::fs::File::open("/proc/self/ns/mnt").doing(|| "open the mount namespace".into())?;
    Ok(file.into())
}

fn enter_mounts(namespace: &OwnedFd) -> Result<(), Failure> {
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
        .doing(|| "enter a mount namespace".into())
}
