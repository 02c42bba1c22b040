//! What a controller holds of this machine, as seen from outside: by any process, with nothing but what the kernel shows.

use serde::Serialize;

/// The sandboxes of one controller, or what a dead one left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// The backend that made them.
    pub backend: &'static str,
    /// Its name for the holding; nothing else has it.
    pub name: String,
    /// Process number of the controller; 0 when it may be a process of another machine.
    pub controller: u32,
    /// Its command line; empty when the controller is dead or not a process that can be seen from here.
    pub command: String,
    /// Whether the controller is dead; then nothing here is of use to anybody.
    pub is_left: bool,
    /// Living sandboxes.
    pub sandboxes: usize,
    /// Living processes on this machine, those that make sandboxes included.
    pub processes: usize,
    /// Memory of these processes in bytes; shared pages count in parts.
    pub memory_bytes: u64,
    /// Control groups, directories, containers, pods: what does not vanish with a process.
    pub remains: Vec<String>,
}
