//! Small images made here: entries to layers, layers to an image layout, a layout to archives.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use basis_sandbox::images::{Credentials, Digest, Image, ImageError, Images, LayerLimits};
use serde_json::{Value, json};
use tar::{EntryType, Header};
use tempfile::TempDir;

/// The archive of a layer.
pub(crate) struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Adds a file.
    pub(crate) fn file(self, path: &str, content: &[u8], mode: u32) -> Self {
        self.entry(EntryType::Regular, path, "", content, mode)
    }

    /// Adds a directory.
    pub(crate) fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, "", b"", 0o755)
    }

    /// Adds a link of either kind.
    pub(crate) fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        self.entry(kind, path, target, b"", 0o777)
    }

    /// Adds anything; names are written as they are, also those that an honest archiver would refuse.
    pub(crate) fn entry(mut self, kind: EntryType, path: &str, target: &str, content: &[u8], mode: u32) -> Self {
        let mut header = Header::new_gnu();
        let bytes = header.as_mut_bytes();
        bytes[..path.len()].copy_from_slice(path.as_bytes());
        bytes[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.0.append(&header, content).expect("written to memory");
        self
    }

    pub(crate) fn archive(self) -> Vec<u8> {
        self.0.into_inner().expect("written to memory")
    }
}

/// How the blob of a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

pub(crate) fn compress(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("written to memory");
            encoder.finish().expect("written to memory")
        }
        Compression::Zstd => zstd::stream::encode_all(bytes, 1).expect("written to memory"),
    }
}

/// An image layout in a directory.
pub(crate) struct Layout {
    pub(crate) directory: TempDir,
    pub(crate) manifest: Digest,
    pub(crate) layers: Vec<Digest>,
    pub(crate) config: Digest,
}

/// This machine's architecture as images spell it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Layout {
    /// One image of layers, lowest first, tagged `latest`.
    pub(crate) fn new(layers: Vec<Layer>, compression: Compression, run: Value) -> Self {
        let archives: Vec<Vec<u8>> = layers.into_iter().map(Layer::archive).collect();
        let diffs: Vec<Digest> = archives.iter().map(|archive| Digest::of(archive)).collect();
        let blobs: Vec<Vec<u8>> = archives.iter().map(|archive| compress(archive, compression)).collect();
        Self::from_parts(blobs, diffs, run)
    }

    pub(crate) fn from_parts(blobs: Vec<Vec<u8>>, diffs: Vec<Digest>, run: Value) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(directory.path().join("blobs/sha256")).expect("made");
        fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).expect("written");
        let config = json!({
            "os": "linux", "architecture": architecture(), "config": run,
            "rootfs": { "type": "layers", "diff_ids": diffs },
        });
        let config = config.to_string().into_bytes();
        let put = |bytes: &[u8]| put(directory.path(), bytes);
        let layers: Vec<Digest> = blobs.iter().map(|blob| put(blob)).collect();
        let describe =
            |digest: &Digest, size: usize, kind: &str| json!({ "mediaType": kind, "digest": digest, "size": size });
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        let described: Vec<Value> =
            layers.iter().zip(&blobs).map(|(digest, blob)| describe(digest, blob.len(), kind)).collect();
        let config_digest = put(&config);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": describe(&config_digest, config.len(), "application/vnd.oci.image.config.v1+json"),
            "layers": described,
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = put(&manifest);
        let mut one = describe(&digest, manifest.len(), "application/vnd.oci.image.manifest.v1+json");
        one["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
        let index = json!({ "schemaVersion": 2, "manifests": [one] });
        fs::write(directory.path().join("index.json"), index.to_string()).expect("written");
        Self { directory, manifest: digest, layers, config: config_digest }
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.directory.path().join("blobs/sha256").join(digest.hex())
    }

    pub(crate) fn reference(&self) -> String {
        format!("oci:{}", self.directory.path().display())
    }

    /// The same as one tar file.
    pub(crate) fn archive(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut archive = tar::Builder::new(file.as_file());
        archive.append_dir_all(".", self.directory.path()).expect("written");
        archive.finish().expect("written");
        drop(archive);
        file
    }

    /// The same as `docker save` writes it.
    pub(crate) fn docker_archive(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut archive = tar::Builder::new(file.as_file());
        let mut names = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let name = format!("{index}/layer.tar");
            archive.append_path_with_name(self.blob(layer), &name).expect("written");
            names.push(name);
        }
        archive.append_path_with_name(self.blob(&self.config), "config.json").expect("written");
        let manifest = json!([{ "Config": "config.json", "RepoTags": ["here/small:1"], "Layers": names }]).to_string();
        let mut header = Header::new_gnu();
        header.set_size(manifest.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, "manifest.json", manifest.as_bytes()).expect("written");
        archive.finish().expect("written");
        drop(archive);
        file
    }
}

pub(crate) fn put(directory: &Path, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    fs::write(directory.join("blobs/sha256").join(digest.hex()), bytes).expect("written");
    digest
}

/// A cache with room for small images.
pub(crate) fn images() -> (TempDir, Images) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let images = Images::open(directory.path().join("cache"), 1 << 30, LayerLimits::default()).expect("opened");
    (directory, images)
}

pub(crate) fn pull(images: &Images, reference: &str) -> Result<Image, ImageError> {
    images.pull(&reference.parse()?, &Credentials::Anonymous)
}

/// A text of a few letters with every error's changing parts replaced.
pub(crate) fn message(result: Result<Image, ImageError>) -> String {
    result.expect_err("refused").to_string()
}
