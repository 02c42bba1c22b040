//! Why an image cannot be had, and what to do about it.

use std::path::PathBuf;

use super::Digest;

/// A failure of pulling, unpacking or keeping images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The text does not name an image.
    #[error(
        "`{text}` does not name an image: {reason}; write `registry/name:tag`, `oci:DIRECTORY`, `oci-archive:FILE` or \
         `docker-archive:FILE`"
    )]
    Reference {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry does not answer.
    #[error(
        "registry `{registry}` cannot be reached: {reason}; check the name, the network and the proxy, then try again"
    )]
    Unreachable {
        /// Host and port.
        registry: String,
        /// What went wrong.
        reason: String,
    },
    /// The registry refuses.
    #[error(
        "registry `{registry}` refuses access to `{repository}`: {reason}; log in with `docker login` or `podman login`, and check \
         the name"
    )]
    Denied {
        /// Host and port.
        registry: String,
        /// The repository.
        repository: String,
        /// What it said.
        reason: String,
    },
    /// The registry wants fewer requests.
    #[error("registry `{registry}` refuses further requests for now; log in for a higher limit, or wait {wait}")]
    RateLimited {
        /// Host and port.
        registry: String,
        /// How long it says.
        wait: String,
    },
    /// There is no such image.
    #[error("no image `{image}`: {reason}; check name and tag")]
    NotFound {
        /// The reference.
        image: String,
        /// What was looked for and where.
        reason: String,
    },
    /// The image exists, but not for this machine.
    #[error(
        "image `{image}` has no variant for {wanted}, only for {available}; build it for {wanted} or use another tag"
    )]
    Platform {
        /// The reference.
        image: String,
        /// The platform of this machine.
        wanted: String,
        /// The platforms that it has.
        available: String,
    },
    /// The content is not what its digest says.
    #[error(
        "{what} has the digest {actual} instead of {expected}: it was damaged or tampered with; pull again or from elsewhere"
    )]
    Mismatch {
        /// A manifest, configuration or layer.
        what: String,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The content cannot be understood.
    #[error("{what} is damaged: {reason}; pull again or build the image anew")]
    Damaged {
        /// A manifest, configuration, layer or archive.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A layer tries to reach outside of itself.
    #[error("layer {layer} is hostile: entry `{entry}` {reason}; do not use this image")]
    Hostile {
        /// The layer.
        layer: Digest,
        /// The entry of its archive.
        entry: String,
        /// What it tries.
        reason: &'static str,
    },
    /// A layer unpacks to more than is allowed.
    #[error("layer {layer} unpacks to more than {limit}; raise the limit if you trust the image")]
    TooLarge {
        /// The layer.
        layer: Digest,
        /// The limit, in words.
        limit: String,
    },
    /// The cache has no room, even without what nobody uses.
    #[error(
        "the image cache `{cache}` has no room: {needed} bytes are needed, {budget} are allowed and {in_use} are in use; raise \
         `images.cache_mib` or end what uses other images"
    )]
    Full {
        /// The directory.
        cache: PathBuf,
        /// What the new layer takes at least.
        needed: u64,
        /// The budget.
        budget: u64,
        /// What cannot be evicted.
        in_use: u64,
    },
    /// Something that images may have and this cannot do.
    #[error("{what} is not supported: {reason}")]
    Unsupported {
        /// What it is.
        what: String,
        /// Why, and what to do instead.
        reason: String,
    },
    /// The file system refuses.
    #[error("{what}: {source}")]
    System {
        /// What was being done, with its path.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl ImageError {
    pub(super) fn system(what: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::System { what: what.into(), source: source.into() }
    }

    /// Whether trying again may help: the connection broke, or what came over it was cut or garbled.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Mismatch { .. } | Self::Damaged { .. })
    }
}
