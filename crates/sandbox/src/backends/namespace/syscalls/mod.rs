//! The filter of system calls that every process of a box inherits.
//!
//! It is a list of what is allowed: `table` knows every number up to a certain kernel, and a newer call does not exist in
//! a box. `program` turns the table into a program for the kernel.
//!
//! It comes in two parts, of which the kernel takes the stricter verdict. Whoever makes boxes is already under the first, which refuses all that
//! making them does not need, and every box inherits it: the kernel takes as long to install it as for many other steps together. A
//! box puts itself under the second, the few calls that are left.
//! Not covered: what an allowed call does with its arguments, except where `table` checks them.

mod program;
mod table;

use super::protocol::{Doing, Failure};
use super::sys;

/// The compiled filter. Compiling takes as long as making a box, so the spawner does it once for all.
#[derive(Debug)]
pub(super) struct Filter {
    first: Vec<libc::sock_filter>,
    second: Vec<libc::sock_filter>,
}

impl Filter {
    pub(super) fn new() -> Self {
        let (first, second) = table::parts();
        Self { first: program::compile(&first), second: program::compile_behind(&second) }
    }

    /// Puts this process, and whatever it starts, under the first part for good. Needs `no_new_privs`.
    pub(super) fn install_first(&self) -> Result<(), Failure> {
        install(&self.first)
    }

    /// And under the second one; where the first is not installed, most is allowed.
    pub(super) fn install_second(&self) -> Result<(), Failure> {
        install(&self.second)
    }
}

fn install(program: &[libc::sock_filter]) -> Result<(), Failure> {
    sys::filter_system_calls(program).doing(|| "install the filter of system calls".into())
}
