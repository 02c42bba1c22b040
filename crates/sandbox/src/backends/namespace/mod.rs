//! Linux namespaces without a daemon: the embedded default.
//!
//! Four kinds of process take part. The **controller** is the program that links this crate. It starts one small
//! **spawner** (its own executable again, caught before `main`), which forks **keepers**. A keeper sits in a control
//! group and clones one **box** at a time: PID 1 of fresh user, pid, mount, net, ipc, uts and cgroup namespaces, which
//! builds the file view and then runs commands on request. When a box has gone, its keeper makes the next one ahead, as
//! far as no specification concerns it.
//!
//! A box has one identity, the user `user`. Files are its own if they belong to the owner of their layer; other files
//! of a layer are shown as `nobody`'s, and a box cannot change those.
//! Not covered: kernel bugs (the kernel is shared). Run by an ordinary user, a box
//! keeps that user's supplementary groups.

pub(super) mod backend;
mod beneath;
mod blank;
mod capture;
mod changes;
pub(super) mod client;
mod command;
mod confine;
mod entries;
pub(super) mod entry;
mod events;
mod fork;
mod grip;
mod groups;
pub(super) mod init;
mod keeper;
mod landlock;
pub(super) mod layout;
mod lease;
mod namespaces;
pub(super) mod process;
pub(super) mod protocol;
pub(super) mod root;
pub(super) mod sandbox;
pub(super) mod setup;
mod shell;
mod spawner;
mod standing;
mod streams;
mod survey;
pub(super) mod sys;
mod syscalls;
pub(super) mod template;
mod trees;
mod unlock;
pub(super) mod userns;
mod watch;
mod wire;

pub(super) use backend::open;
pub(super) use survey::{collect, holdings};
