//! Real Python projects in real sandboxes. Skipped, with the reason, where the machine has no sandbox backend.

#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

mod bench;
mod plain;
mod pytest;
mod sources;
mod validation;
