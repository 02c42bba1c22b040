//! The filter of system calls that every process of a box inherits.
//!
//! It is a list of what is allowed: `table` knows every number up to a certain kernel, and a newer call does not exist in
//! a box. `program` turns the table into a program for the kernel.
//! Not covered: what an allowed call does with its arguments, except where `table` checks them.

mod program;
mod table;

use super::protocol::{Doing, Failure};
use super::sys;

/// The compiled filter. Compiling takes as long as making a box, so the spawner does it once for all.
#[derive(Debug)]
pub(super) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    pub(super) fn new() -> Self {
        Self(program::compile(&table::calls()))
    }

    /// Puts this process, and whatever it starts, under the filter for good. Needs `no_new_privs`.
    pub(super) fn install(&self) -> Result<(), Failure> {
        sys::filter_system_calls(&self.0).doing(|| "install the filter of system calls".into())
    }
}
