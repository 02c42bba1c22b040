//! Containers of Docker or Podman on this machine, by the Docker Engine API over a Unix socket.
//!
//! The engine makes the container: its namespaces, control group, system-call filter and root. Its first process is this
//! program again ([`boot`]), which serves the controller exactly as the first process of a `namespace` box does. What the
//! engine cannot do, the **mounter** adds before any command runs: the working directory as an overlay over the layers with its
//! upper side on a limited tmpfs, the mounts with the right owner, and nothing of the host that engines leave in view.
//! Files are read, compared and written from outside through descriptors of these mounts, never by programs of the container.
//!
//! The end of the controller closes the connection, which ends the first process, and the engine removes the container; what never
//! came that far carries its controller in a label and is removed by the next one. Not covered: engines on other machines, and
//! runtimes with a kernel of their own (gVisor, Kata), which share no mounts.

mod backend;
mod base;
mod boot;
mod engine;
mod group;
mod http;
mod lobby;
mod mounter;
mod owner;
mod request;
mod socket;
mod stage;
mod survey;

pub(super) use backend::open;
pub(super) use survey::{collect, holdings};

/// The name in the registry.
const NAME: &str = "container";

/// Catches the processes of this backend before `main`: they never return from here.
pub(super) fn enter(arguments: &[u8]) {
    boot::enter(arguments);
    mounter::enter(arguments);
}
