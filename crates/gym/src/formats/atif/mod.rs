//! ATIF 1.8, the Agent Trajectory Interchange Format of Harbor: one file per episode.
//!
//! Conversation and tokens stand in the fields of the format; grade, submission and what else only we know in `extra.basis`.
//! Files of others are read when their agents used the same two tools; nobody has graded those episodes here.

mod read;
mod schema;
mod tokens;
mod write;

use std::path::Path;

use super::output;
use super::{Export, Format, FormatError, Import, Played, Written};
use crate::grade::Workshop;

/// The entry of the registry.
pub static FORMAT: Format = Format {
    name: "atif",
    about: "ATIF 1.8 trajectories, one file per episode of a run",
    export: Export::Episodes(export),
    import: Some(Import::Episodes(|_, _, path| read::directory(path))),
};

fn export(_: &Workshop, played: &[Played], out: &Path) -> Result<Written, FormatError> {
    output::directory(out, |directory| {
        let mut written = Written::default();
        for one in played {
            let text = serde_json::to_vec(&write::trajectory(one)).expect("trajectories have only string keys");
            output::part(&directory.join(format!("{}.json", one.key.replace('/', "-"))), text)?;
            written.add(&one.key, Ok(()));
        }
        written.unless_empty()
    })
}
