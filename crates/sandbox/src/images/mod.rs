//! Container images without a daemon: from a registry, a directory or an archive to read-only layers on disk.
//!
//! [`Images`] is a cache of unpacked layers, addressed by content. [`Images::pull`] fills it and gives an [`Image`]: its
//! layers, lowest first, ready for [`crate::SandboxSpec::root`], and its [`ImageConfig`]. What an image brings is hostile:
//! digests are checked before anything is used, and nothing is written outside the layer that it belongs to.
//! Owners, set-user-id bits, capabilities and device nodes of an image are not kept: in a sandbox all files belong to its one user.

mod cache;
mod config;
mod digest;
mod disk;
mod error;
mod manifest;
mod reference;
mod sources;
mod transfer;
mod unpack;

pub use cache::{Cached, Images};
pub use config::ImageConfig;
pub use digest::Digest;
pub use error::ImageError;
pub use reference::Reference;
pub use sources::Credentials;

use std::path::PathBuf;

/// An image in the cache. While this value lives, in whatever process, its layers are not evicted.
#[derive(Debug)]
pub struct Image {
    /// The digest of its manifest for this machine's platform.
    pub digest: Digest,
    /// Unpacked layers, lowest first, with overlayfs marks for what is gone.
    pub layers: Vec<PathBuf>,
    /// How the image wants its commands to be run.
    pub config: ImageConfig,
    /// Shared locks on the layers.
    _held: Vec<std::fs::File>,
}

/// Bounds of what one layer may unpack to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerLimits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

impl Default for LayerLimits {
    /// Generous for images of whole distributions with several toolchains.
    fn default() -> Self {
        Self { bytes: 64 << 30, entries: 4_000_000 }
    }
}
