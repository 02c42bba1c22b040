//! The first process of a container, before `main` of whatever program this is.

use std::os::unix::net::UnixStream;

use crate::backends::namespace::protocol::Channel;
use crate::backends::namespace::{init, sys};

/// The last argument of the first process.
pub(super) const NAME: &str = "basis-sandbox-container";
/// The name of the socket in the stage.
pub(super) const SOCKET: &str = "control";

/// Never returns in the first process of a container; does nothing in any other.
pub(in crate::backends) fn enter(arguments: &[u8]) {
    let last = arguments.strip_suffix(b"\0").and_then(|line| line.rsplit(|byte| *byte == 0).next());
    if last != Some(NAME.as_bytes()) || std::process::id() != 1 {
        return;
    }
    // Commands run as the same user and must not look into it.
    let undumpable = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let path = format!("{}/{SOCKET}", super::stage::INSIDE);
    match (undumpable, UnixStream::connect(path)) {
        (Ok(()), Ok(stream)) => init::run_in_container(Channel::new(stream.into())),
        _ => sys::exit(1),
    }
}
