//! The image layout of the Open Container Initiative: `index.json` and blobs by digest.

use std::io::Read;

use super::Source;
use super::files::Files;
use crate::images::manifest::{self, Descriptor, Document};
use crate::images::{Digest, ImageError, Reference};

const TAG: &str = "org.opencontainers.image.ref.name";
/// What some tools write instead, with the full name before the tag.
const NAME: &str = "io.containerd.image.name";

/// An image of a layout.
pub(super) struct Layout {
    files: Files,
    root: Vec<u8>,
}

impl Layout {
    /// Chooses the image with the tag, or the only one.
    pub(super) fn open(files: Files, tag: Option<&str>, reference: &Reference) -> Result<Self, ImageError> {
        let bytes = files.read("index.json")?;
        let what = format!("`index.json` of {}", files.describe());
        let Document::Index(index) = manifest::parse(&bytes, &what)? else {
            return Err(ImageError::Damaged { what, reason: "it is no index".into() });
        };
        let Some(tag) = tag else {
            // Several images or several platforms of one: the choice by platform decides.
            return match &index.manifests[..] {
                [one] => Ok(Self { root: files.read(&path(&one.digest))?, files }),
                _ => Ok(Self { files, root: bytes }),
            };
        };
        let tagged = |one: &&Descriptor| {
            let named = |key: &str| one.annotations.get(key).map(String::as_str);
            named(TAG) == Some(tag) || named(NAME).is_some_and(|name| name.ends_with(&format!(":{tag}")))
        };
        match index.manifests.iter().find(tagged) {
            Some(one) => Ok(Self { root: files.read(&path(&one.digest))?, files }),
            None => {
                let reason = format!("no image in {} has this tag", files.describe());
                Err(ImageError::NotFound { image: reference.to_string(), reason })
            }
        }
    }
}

impl Source for Layout {
    fn root(&self) -> Result<Vec<u8>, ImageError> {
        Ok(self.root.clone())
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        self.files.read(&path(&descriptor.digest))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + '_>, ImageError> {
        let missing = || ImageError::Damaged {
            what: self.files.describe(),
            reason: format!("the blob {} is missing", descriptor.digest),
        };
        self.files.open(&path(&descriptor.digest))?.ok_or_else(missing)
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
