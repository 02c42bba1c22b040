//! Gives a new box the files of another one.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::OFlags;

use super::grip::View;
use super::protocol::{BoxReply, BoxRequest};
use super::wire::{Wire, lost, unexpected};
use super::{beneath, entries, layout};
use crate::SandboxError;

/// Sends everything that was written to the box of `view` to the box of `wire`, which waits for it.
pub(super) fn fill(wire: &Wire, view: &View) -> Result<(), SandboxError> {
    for (name, _) in layout::FILES_OF_BOX {
        send(wire, view, name).map_err(|error| SandboxError::system("copy the files of a sandbox", error))?;
    }
    wire.send(&BoxRequest::Filled).map_err(|error| lost(&error))?;
    // It reads the files itself, and until it has they must not move.
    match wire.next()? {
        (BoxReply::Full, _) => Ok(()),
        (BoxReply::Failed(failure), _) => Err(failure.into()),
        (other, _) => Err(unexpected(&other)),
    }
}

fn send(wire: &Wire, view: &View, name: &str) -> io::Result<()> {
    let root = beneath::open(&view.stage, name, OFlags::PATH | OFlags::DIRECTORY)?;
    entries::each(&root, &mut |mut entry, bytes| {
        entry.relocate(Path::new(name));
        let beside: Vec<_> = bytes.iter().map(AsFd::as_fd).collect();
        wire.send_with(&BoxRequest::Make(entry), &beside)
    })
}
