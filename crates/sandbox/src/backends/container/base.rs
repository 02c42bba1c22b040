//! The image that containers are made of: empty directories, the links and the small files of every root.
//!
//! Everything else is the host's, shown read-only. The image is made here and named by its content, so an engine gets it once.

use std::path::Path;

use serde_json::json;

use crate::backends::namespace::layout;
use crate::images::Digest;

/// An image as `docker save` would write it, and its name.
pub(super) struct Base {
    pub(super) name: String,
    pub(super) archive: Vec<u8>,
}

/// What a root has beyond those of all backends.
const DIRECTORIES: &[&str] = &["/sys", super::stage::INSIDE];

impl Base {
    pub(super) fn make() -> std::io::Result<Self> {
        let layer = layer()?;
        let config = json!({
            "os": "linux", "architecture": architecture(), "config": {},
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let digest = Digest::of(&config);
        let name = format!("localhost/basis-sandbox:{}", &digest.hex()[..12]);
        let file = format!("{}.json", digest.hex());
        let manifest = json!([{ "Config": file, "RepoTags": [name], "Layers": ["layer.tar"] }]).to_string();
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in [("layer.tar", &layer[..]), (&file, &config), ("manifest.json", manifest.as_bytes())] {
            add(&mut archive, name, tar::EntryType::Regular, bytes, 0o644)?;
        }
        Ok(Self { name, archive: archive.into_inner()? })
    }
}

fn layer() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for path in layout::DIRECTORIES.iter().chain(DIRECTORIES) {
        add(&mut archive, &path[1..], tar::EntryType::Directory, b"", 0o755)?;
    }
    for (path, text) in layout::FILES {
        add(&mut archive, &path[1..], tar::EntryType::Regular, text.as_bytes(), 0o644)?;
    }
    for path in layout::SYSTEM {
        match std::fs::symlink_metadata(path) {
            Ok(data) if data.is_symlink() => link(&mut archive, &path[1..], &std::fs::read_link(path)?)?,
            Ok(_) => add(&mut archive, &path[1..], tar::EntryType::Directory, b"", 0o755)?,
            Err(_) => {}
        }
    }
    if let Ok(cache) = std::fs::read("/etc/ld.so.cache") {
        add(&mut archive, "etc/ld.so.cache", tar::EntryType::Regular, &cache, 0o644)?;
    }
    // Debian reaches some programs, `awk` for example, through links here.
    let alternatives = std::fs::read_dir("/etc/alternatives").into_iter().flatten().flatten();
    let mut alternatives: Vec<_> = alternatives.map(|entry| entry.path()).collect();
    alternatives.sort();
    for path in alternatives {
        if let (Ok(target), Some(name)) = (std::fs::read_link(&path), path.to_str()) {
            link(&mut archive, &name[1..], &target)?;
        }
    }
    archive.into_inner()
}

type Archive = tar::Builder<Vec<u8>>;

fn add(archive: &mut Archive, name: &str, kind: tar::EntryType, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut header = header(kind, mode);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, name, bytes)
}

fn link(archive: &mut Archive, name: &str, target: &Path) -> std::io::Result<()> {
    archive.append_link(&mut header(tar::EntryType::Symlink, 0o777), name, target)
}

/// The same for the same content: no times, no owners.
fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}

/// This machine's architecture as images spell it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_same_each_time_it_is_made() {
        let [one, other] = [Base::make(), Base::make()].map(|base| base.expect("made"));
        assert_eq!((one.name, one.archive), (other.name, other.archive));
    }
}
