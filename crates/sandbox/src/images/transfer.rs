//! From a source to checked content: manifest, configuration, unpacked layers.

use std::io::Read;
use std::path::Path;

use super::config::Raw;
use super::digest::Hashing;
use super::manifest::{self, Descriptor, Document, LONGEST, Manifest};
use super::sources::Source;
use super::unpack::{Room, unpack};
use super::{Digest, ImageError, LayerLimits};

/// The manifest for this machine, checked against the digests that lead to it.
pub(super) fn manifest(source: &dyn Source, image: &str) -> Result<(Digest, Manifest), ImageError> {
    let mut bytes = source.root()?;
    let mut digest = Digest::of(&bytes);
    if let Some(expected) = source.pinned().filter(|pinned| **pinned != digest) {
        let what = format!("the manifest of `{image}`");
        return Err(ImageError::Mismatch { what, expected: expected.clone(), actual: digest });
    }
    // An index may contain indexes, but nobody needs more than this.
    for _ in 0..4 {
        match manifest::parse(&bytes, &format!("the manifest of `{image}`"))? {
            Document::Manifest(manifest) => return Ok((digest, manifest)),
            Document::Index(index) => {
                let chosen = index.choose(image)?;
                bytes = source.manifest(chosen)?;
                digest = Digest::of(&bytes);
                if digest != chosen.digest {
                    let what = format!("the manifest of `{image}`");
                    return Err(ImageError::Mismatch { what, expected: chosen.digest.clone(), actual: digest });
                }
            }
        }
    }
    Err(ImageError::Damaged { what: format!("the index of `{image}`"), reason: "it contains itself".into() })
}

/// The configuration of an image, checked against its digest and this machine's platform.
pub(super) fn config(source: &dyn Source, descriptor: &Descriptor, image: &str) -> Result<Raw, ImageError> {
    let what = format!("the configuration of `{image}`");
    let mut bytes = Vec::new();
    let read = source.blob(descriptor)?.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| ImageError::Damaged { what: what.clone(), reason: error.to_string() })?;
    let actual = Digest::of(&bytes);
    if actual != descriptor.digest {
        return Err(ImageError::Mismatch { what, expected: descriptor.digest.clone(), actual });
    }
    let raw: Raw = serde_json::from_slice(&bytes).map_err(|error| ImageError::Damaged {
        what: what.clone(),
        reason: format!("{error}; perhaps it is not a container image but something else in a registry"),
    })?;
    let wanted = manifest::architecture();
    let fits = |value: &str, wanted: &str| value.is_empty() || value == wanted;
    match fits(&raw.os, "linux") && fits(&raw.architecture, wanted) {
        true => Ok(raw),
        false => Err(ImageError::Platform {
            image: image.into(),
            wanted: format!("linux/{wanted}"),
            available: format!("{}/{}", raw.os, raw.architecture),
        }),
    }
}

/// Unpacks a layer into the empty directory `into`; returns the bytes that it takes. After an error what is there is of no use.
pub(super) fn layer(
    diff: &Digest,
    descriptor: &Descriptor,
    source: &dyn Source,
    into: &Path,
    limits: &LayerLimits,
    room: Room<'_>,
) -> Result<u64, ImageError> {
    let what = || format!("layer {}", descriptor.digest);
    let damaged = |reason: String| ImageError::Damaged { what: what(), reason };
    let mut blob = Hashing::new(source.blob(descriptor)?.take(descriptor.size.saturating_add(1)));
    let plain = decompress(&mut blob).map_err(|error| damaged(error.to_string()))?;
    let mut plain = Hashing::new(plain);
    let unpacked = unpack(diff, &mut plain, into, limits, room);
    // A damaged archive is told from a damaged blob by the digests, which say more.
    let bytes = match unpacked {
        Err(error @ (ImageError::Hostile { .. } | ImageError::TooLarge { .. } | ImageError::Full { .. })) => {
            return Err(error);
        }
        other => other,
    };
    let inner = plain.finish(limits.bytes).map_err(|error| damaged(error.to_string()));
    let (actual, length) = blob.finish(descriptor.size).map_err(|error| damaged(error.to_string()))?;
    if actual != descriptor.digest || length != descriptor.size {
        return Err(ImageError::Mismatch { what: what(), expected: descriptor.digest.clone(), actual });
    }
    let ((actual, _), bytes) = (inner?, bytes?);
    if actual != *diff {
        return Err(ImageError::Mismatch {
            what: format!("the content of {}", what()),
            expected: diff.clone(),
            actual,
        });
    }
    Ok(bytes)
}

/// Recognises the compression by its first bytes: media types are not always right.
fn decompress<'a>(blob: &'a mut dyn Read) -> std::io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    (&mut *blob).take(4).read_to_end(&mut head)?;
    let kind = head.clone();
    let whole = std::io::Cursor::new(head).chain(blob);
    Ok(match kind[..] {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}
