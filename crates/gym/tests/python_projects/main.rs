//! Real Python projects in real sandboxes. Skipped, with the reason, where the machine has no sandbox backend.

mod bench;
mod collected;
mod early;
mod plain;
mod pytest;
mod sources;
mod validation;
mod warm;
