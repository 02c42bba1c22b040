//! Manifests and indexes, and the choice of this machine's platform.

use serde::{Deserialize, Serialize};

use super::{Digest, ImageError};

/// Longer manifests and configurations are refused.
pub(super) const LONGEST: u64 = 8 << 20;

/// What a digest points to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(default, skip_serializing)]
    pub(super) annotations: std::collections::BTreeMap<String, String>,
}

impl Descriptor {
    pub(super) fn new(digest: Digest, size: u64) -> Self {
        Self { media_type: String::new(), digest, size, platform: None, annotations: Default::default() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: String,
}

/// The parts of one image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// The variants of an image.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

/// Either of the two.
#[derive(Debug)]
pub(super) enum Document {
    Manifest(Manifest),
    Index(Index),
}

/// Reads a manifest or index; `what` names it in errors.
pub(super) fn parse(bytes: &[u8], what: &str) -> Result<Document, ImageError> {
    let damaged = |reason: String| ImageError::Damaged { what: what.into(), reason };
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if value.get("schemaVersion").and_then(serde_json::Value::as_u64) == Some(1) {
        let reason = "it is from before 2017; pull it with a container tool and push it again".into();
        return Err(ImageError::Unsupported { what: format!("the schema 1 of {what}"), reason });
    }
    let document = match value.get("manifests").is_some() {
        true => serde_json::from_value(value).map(Document::Index),
        false => serde_json::from_value(value).map(Document::Manifest),
    };
    document.map_err(|error| damaged(error.to_string()))
}

impl Index {
    /// The variant for this machine.
    pub(super) fn choose(&self, image: &str) -> Result<&Descriptor, ImageError> {
        let wanted = architecture();
        let fits = |descriptor: &&Descriptor| match &descriptor.platform {
            Some(platform) => platform.os == "linux" && platform.architecture == wanted,
            // Tools that write an index of one image do not always say which platform it is for.
            None => self.manifests.len() == 1,
        };
        self.manifests.iter().find(fits).ok_or_else(|| {
            let names: Vec<String> = self.manifests.iter().filter_map(|one| one.platform.as_ref()).map(name).collect();
            let available = if names.is_empty() { "no platform that it names".into() } else { names.join(", ") };
            ImageError::Platform { image: image.into(), wanted: format!("linux/{wanted}"), available }
        })
    }
}

fn name(platform: &Platform) -> String {
    let variant = if platform.variant.is_empty() { String::new() } else { format!("/{}", platform.variant) };
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

/// This machine's architecture as images spell it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
