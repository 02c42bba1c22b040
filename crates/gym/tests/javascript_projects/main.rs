//! Real JavaScript projects in real sandboxes. Skipped, with the reason, where the machine has no node or no sandbox backend.

mod bench;
mod mining;
mod node_test;
mod sources;
