//! Where the parts of an image come from: a registry, an image layout, a `docker save` archive.

mod docker_archive;
mod files;
mod layout;
mod registry;

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::manifest::Descriptor;
use super::{Digest, ImageError, Reference};

/// What a registry is told about who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    #[default]
    Anonymous,
    /// A name and a password or access token.
    Password {
        /// The name.
        user: String,
        /// The password or access token.
        password: String,
    },
}

impl Credentials {
    /// The credentials in a file of logins: a name, a colon and a password in base 64.
    pub fn from_login(text: &str) -> Option<Self> {
        let plain = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
        let (user, password) = plain.split_once(':').filter(|(user, _)| !user.is_empty())?;
        Some(Self::Password { user: user.into(), password: password.into() })
    }
}

/// One image somewhere. What it gives is not yet checked against digests, except by the tags of a registry.
pub(super) trait Source {
    /// The manifest or index that the reference names.
    fn root(&self) -> Result<Vec<u8>, ImageError>;

    /// A manifest of the index.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError>;

    /// A configuration or layer.
    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + '_>, ImageError>;

    /// The digest that the reference pins, if it does.
    fn pinned(&self) -> Option<&Digest> {
        None
    }
}

/// Opens the place that `reference` names.
pub(super) fn open(reference: &Reference, credentials: &Credentials) -> Result<Box<dyn Source>, ImageError> {
    Ok(match reference {
        Reference::Registry(name) => Box::new(registry::Registry::new(name.clone(), credentials.clone())),
        Reference::OciDirectory(path, tag) => {
            Box::new(layout::Layout::open(files::Files::directory(path)?, tag.as_deref(), reference)?)
        }
        Reference::OciArchive(path, tag) => {
            Box::new(layout::Layout::open(files::Files::archive(path)?, tag.as_deref(), reference)?)
        }
        Reference::DockerArchive(path, tag) => {
            Box::new(docker_archive::DockerArchive::open(files::Files::archive(path)?, tag.as_deref(), reference)?)
        }
    })
}
