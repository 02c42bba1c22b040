//! The program from the outside: exit code, standard output and standard error of whole commands.
//!
//! Each test gets an empty directory, an empty environment and no terminal. Snapshots lie in `snapshots/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod doctor;
mod frame;
mod packs;
mod runs;
mod support;
mod training;
