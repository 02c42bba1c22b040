//! Images: from registries, layouts and archives, honest and hostile, to layers on disk.

#![expect(clippy::print_stderr, reason = "skipped tests say why")]

mod build;
mod cache;
mod hostile;
mod pull;
mod registry;
mod server;
mod service;
