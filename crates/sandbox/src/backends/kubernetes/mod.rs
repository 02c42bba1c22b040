//! One pod per sandbox, in any cluster whose network policies are enforced.
//!
//! A pod has two containers. Commands run in **agent**: read-only root, no rights, no network, a user of its own. The
//! **keeper** shares the volumes and nothing else with it; through it the controller copies files in and out, so that
//! nothing an agent wrote takes part. Everything is asked for through the API server: pods are watched, never polled,
//! and commands run over WebSockets. The image needs a shell and the GNU userland; nothing is added to it.
//!
//! Pods belong to an object of the run, which the cluster's garbage collector follows; each pod also ends when its
//! connection to the controller does, and at the latest after its lease.
//! Not covered: the node's kernel is shared unless a runtime class says otherwise; the number of processes is limited by
//! user, not by pod; the number of files is not limited.

mod backend;
mod cause;
mod changes;
mod cluster;
mod command;
mod connection;
mod failure;
mod files;
mod pod;
mod rate;
mod run;
mod sandbox;
mod script;
mod stream;
mod survey;
mod tree;
mod upload;
mod watch;

pub(super) use backend::open;
pub(super) use survey::{collect, holdings};
