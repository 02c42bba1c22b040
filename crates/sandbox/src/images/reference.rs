//! Names of images: in registries, directories and archives.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Digest, ImageError};

/// Where an image is.
///
/// The notation is that of container tools: `debian:12`, `ghcr.io/owner/name@sha256:…`, `localhost:5000/name`, `oci:DIRECTORY[:TAG]`,
/// `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME:TAG]`. Without a registry it is Docker Hub, without a tag `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In a registry.
    Registry(RegistryReference),
    /// An OCI image layout in a directory.
    OciDirectory(PathBuf, Option<String>),
    /// An OCI image layout in a tar file.
    OciArchive(PathBuf, Option<String>),
    /// What `docker save` writes.
    DockerArchive(PathBuf, Option<String>),
}

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryReference {
    /// Host, and port if it has one.
    pub registry: String,
    /// The name within the registry.
    pub repository: String,
    /// The tag; what counts if there is no digest.
    pub tag: String,
    /// The digest, if it is pinned.
    pub digest: Option<Digest>,
}

const HUB: &str = "docker.io";

impl FromStr for Reference {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let local = |rest: &str| {
            // A path may have a colon only before its last slash.
            let name = rest.rfind('/').map_or(0, |slash| slash + 1);
            match rest[name..].split_once(':') {
                Some((path, tag)) => (PathBuf::from(&rest[..name + path.len()]), Some(tag.to_owned())),
                None => (PathBuf::from(rest), None),
            }
        };
        for (prefix, make) in [
            ("oci:", Self::OciDirectory as fn(PathBuf, Option<String>) -> Self),
            ("oci-archive:", Self::OciArchive),
            ("docker-archive:", Self::DockerArchive),
        ] {
            if let Some(rest) = text.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
                let (path, tag) = local(rest);
                return Ok(make(path, tag));
            }
        }
        let wrong = |reason: String| ImageError::Reference { text: text.into(), reason };
        in_registry(text.strip_prefix("docker://").unwrap_or(text)).map(Self::Registry).map_err(wrong)
    }
}

fn in_registry(text: &str) -> Result<RegistryReference, String> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse()?)),
        None => (text, None),
    };
    let slash = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[slash..].split_once(':') {
        Some((name, tag)) => (&rest[..slash + name.len()], tag),
        None => (rest, "latest"),
    };
    let named = |first: &str| first.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    let is_host = |first: &str| first == "localhost" || named(first) && first.contains(['.', ':']);
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_host(first) => (first, path.to_owned()),
        Some(_) => (HUB, name.to_owned()),
        None => (HUB, format!("library/{name}")),
    };
    let part = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        part.bytes().all(inner) && part.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    if name.is_empty() || !path.split('/').all(part) {
        return Err("a name consists of lower-case letters, digits, and `.`, `_`, `-` between `/`".into());
    }
    let in_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if tag.is_empty() || tag.len() > 128 || !tag.bytes().all(in_tag) {
        return Err("a tag consists of letters, digits, `.`, `_` and `-`".into());
    }
    if !registry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
        return Err(format!("`{registry}` is not a host"));
    }
    Ok(RegistryReference { registry: registry.into(), repository: path, tag: tag.into(), digest })
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut local = |kind: &str, path: &PathBuf, tag: &Option<String>| {
            let tag = tag.as_ref().map_or(String::new(), |tag| format!(":{tag}"));
            write!(formatter, "{kind}:{}{tag}", path.display())
        };
        match self {
            Self::OciDirectory(path, tag) => local("oci", path, tag),
            Self::OciArchive(path, tag) => local("oci-archive", path, tag),
            Self::DockerArchive(path, tag) => local("docker-archive", path, tag),
            Self::Registry(RegistryReference { registry, repository, tag, digest }) => match digest {
                Some(digest) => write!(formatter, "{registry}/{repository}@{digest}"),
                None => write!(formatter, "{registry}/{repository}:{tag}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_container_tools_do() {
        let digest = Digest::of(b"");
        for (text, full) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:12-slim", "docker.io/library/debian:12-slim"),
            ("owner/name", "docker.io/owner/name:latest"),
            ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"),
            ("docker://localhost:5000/x", "localhost:5000/x:latest"),
            ("localhost/x:1", "localhost/x:1"),
            (&format!("quay.io/a/b:v@{digest}"), &format!("quay.io/a/b@{digest}")),
            ("oci:/a:b/c:tag", "oci:/a:b/c:tag"),
            ("oci:dir", "oci:dir"),
            ("oci-archive:x.tar", "oci-archive:x.tar"),
            ("docker-archive:a/x.tar:name:1", "docker-archive:a/x.tar:name:1"),
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), full);
        }
    }

    #[test]
    fn what_names_no_image_is_refused_with_the_notation() {
        for text in [
            "",
            "UPPER",
            "a//b",
            "a:b:c",
            "a@sha256:1",
            "../x",
            "a:",
            "ghcr.io/",
            "a b",
            "oci:",
            "x/../y",
            "evil\n.io/x",
        ] {
            let error = text.parse::<Reference>().expect_err(text).to_string();
            assert!(error.contains("registry/name:tag"), "{error}");
        }
    }
}
