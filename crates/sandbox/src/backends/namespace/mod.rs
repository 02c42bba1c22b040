//! Linux namespaces without a daemon: the embedded default.
//!
//! Three kinds of process take part. The **controller** is the program that links this crate. It starts one small
//! **spawner** (its own executable again, caught before `main`), which clones one **box** per sandbox: PID 1 of fresh
//! user, pid, mount, net, ipc, uts and cgroup namespaces, which builds the file view and then runs commands on request.
//! Not covered: kernel bugs (the kernel is shared), system-call filtering, cpu shares.

mod backend;
mod beneath;
mod capture;
mod changes;
mod client;
mod command;
mod confine;
mod entry;
mod groups;
mod init;
mod layout;
mod protocol;
mod sandbox;
mod setup;
mod spawner;
mod streams;
mod sys;
mod template;
mod unlock;
mod userns;
mod watch;

pub(super) use backend::open;
