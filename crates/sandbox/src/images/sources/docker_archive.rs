//! What `docker save` writes: `manifest.json`, which names a configuration and the files of the layers.
//!
//! It has no manifest of the usual kind. One is made from the digests of what is there, so that all else is the same.

use std::collections::HashMap;
use std::io::Read;

use serde::Deserialize;

use super::Source;
use super::files::Files;
use crate::images::digest::Hashing;
use crate::images::manifest::{Descriptor, Manifest};
use crate::images::{Digest, ImageError, Reference};

/// An image of an archive.
pub(super) struct DockerArchive {
    files: Files,
    root: Vec<u8>,
    names: HashMap<Digest, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl DockerArchive {
    /// Chooses the image with the name, or the only one.
    pub(super) fn open(files: Files, name: Option<&str>, reference: &Reference) -> Result<Self, ImageError> {
        let bytes = files.read("manifest.json")?;
        let saved: Vec<Saved> = serde_json::from_slice(&bytes).map_err(|error| ImageError::Damaged {
            what: format!("`manifest.json` of {}", files.describe()),
            reason: error.to_string(),
        })?;
        let called = |one: &&Saved| {
            let tags = one.repo_tags.iter().flatten();
            name.is_none_or(|name| tags.into_iter().any(|tag| tag == name || tag.ends_with(&format!("/{name}"))))
        };
        let mut fitting = saved.iter().filter(called);
        let (one, another) = (fitting.next(), fitting.next());
        let missing = |reason: String| ImageError::NotFound { image: reference.to_string(), reason };
        let one = one.ok_or_else(|| missing(format!("no image in {} has this name", files.describe())))?;
        if another.is_some() {
            return Err(missing(format!("{} has several images; name one", files.describe())));
        }
        let mut names = HashMap::new();
        let mut describe = |name: &String| -> Result<Descriptor, ImageError> {
            let (digest, size) = digest(&files, name)?;
            names.insert(digest.clone(), name.clone());
            Ok(Descriptor::new(digest, size))
        };
        let config = describe(&one.config)?;
        let layers = one.layers.iter().map(describe).collect::<Result<_, _>>()?;
        let root = serde_json::to_vec(&Manifest { config, layers }).expect("a manifest is JSON");
        Ok(Self { files, root, names })
    }
}

fn digest(files: &Files, name: &str) -> Result<(Digest, u64), ImageError> {
    let missing = || ImageError::Damaged { what: files.describe(), reason: format!("its file `{name}` is missing") };
    let file = files.open(name)?.ok_or_else(missing)?;
    let read = Hashing::new(file).finish(u64::MAX - 1);
    read.map_err(|error| ImageError::system(format!("read `{name}` of {}", files.describe()), error))
}

impl Source for DockerArchive {
    fn root(&self) -> Result<Vec<u8>, ImageError> {
        Ok(self.root.clone())
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        self.files.read(&descriptor.digest.to_string())
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + '_>, ImageError> {
        let missing = || ImageError::Damaged { what: self.files.describe(), reason: "a file is missing".into() };
        let name = self.names.get(&descriptor.digest).ok_or_else(missing)?;
        self.files.open(name)?.ok_or_else(missing)
    }
}
