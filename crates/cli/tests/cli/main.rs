//! The program from the outside: exit code, standard output and standard error of whole commands.
//!
//! Each test gets an empty directory, an empty environment and no terminal. Snapshots lie in `snapshots/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "skipped tests say why")]

#[path = "../../../sandbox/tests/images/build.rs"]
#[allow(dead_code, reason = "the tests of images use all of it")]
mod build;
mod containers;
mod doctor;
mod environments;
mod frame;
mod histories;
mod images;
mod packs;
mod releases;
mod runs;
#[path = "../../../sandbox/tests/images/service.rs"]
#[allow(dead_code, reason = "the tests of images use all of it")]
mod service;
mod serving;
mod support;
mod training;
