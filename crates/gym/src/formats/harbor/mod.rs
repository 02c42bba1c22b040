//! Task directories of Harbor, schema 1.4, with a verifier in a box of its own.
//!
//! `environment/` has what the agent sees, `tests/` what only the verifier sees, `solution/` the gold submission. A directory that was
//! written here can be read back: its task passes the gates again. What others wrote is graded by a script of theirs in an image of
//! theirs, which is no grader of ours; such a directory is refused with that reason.

mod export;
mod facts;
mod import;
mod manifest;

use super::{Export, Format, Import};

/// The entry of the registry.
pub static FORMAT: Format = Format {
    name: "harbor",
    about: "Harbor task directories, schema 1.4, one per task",
    export: Export::Tasks(export::directory),
    import: Some(Import::Tasks(import::directory)),
};
