//! What only an engine can do wrong, and what only it can be asked: sockets, leftovers, limits, images as roots.
//!
//! That containers are sandboxes like any other is shown by the conformance and attack suites.

#![expect(clippy::print_stderr, reason = "skipped tests say why")]

#[path = "../conformance/fixture.rs"]
#[allow(dead_code, reason = "the conformance suite uses all of it")]
mod fixture;
mod leftovers;
mod refusals;
mod roots;

use std::sync::Arc;

use basis_sandbox::{Backend, SandboxError};

/// The backend, if the tests were given an engine.
fn containers() -> Option<Arc<dyn Backend>> {
    match fixture::open("container") {
        Ok(backend) => Some(backend),
        Err(SandboxError::Unavailable { reason, .. }) => {
            eprintln!("skipped: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
