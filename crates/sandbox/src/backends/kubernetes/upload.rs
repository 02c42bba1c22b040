//! What a sandbox is made of, as one archive: the layers at the working directory, and what is mounted elsewhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Bytes;

use super::tree::{self, Entry, Kind, Tree};
use crate::{Mount, SandboxError, SandboxSpec};

/// Bytes that go together; more than one frame, so that the reader always has something to send.
const PIECE: usize = 128 << 10;

/// All that is copied into a pod.
#[derive(Debug)]
pub(super) struct Bundle {
    /// The working directory at the beginning.
    pub(super) work: Arc<Tree>,
    /// What is shown elsewhere, in the order of the specification.
    pub(super) shown: Vec<Shown>,
}

/// A mount of the specification.
#[derive(Debug)]
pub(super) struct Shown {
    /// Where it is below the volume of the environment.
    pub(super) place: String,
    /// Where the sandbox sees it.
    pub(super) target: String,
    /// Whether it is a single file.
    pub(super) is_file: bool,
    files: Tree,
}

impl Bundle {
    /// Reads what there is to copy; mounts whose target is `provided` by the image are left out.
    pub(super) fn gather(spec: &SandboxSpec, provided: &[String]) -> Result<Self, SandboxError> {
        let work = tree::union(spec.layers.iter().map(PathBuf::as_path))?;
        let wanted = spec.mounts.iter().filter(|mount| !provided.contains(&mount.target));
        let shown = wanted.enumerate().map(|(index, mount)| show(index, mount)).collect::<Result<_, _>>()?;
        Ok(Self { work: Arc::new(work), shown })
    }

    /// What the mounts take on disk.
    pub(super) fn environment_size(&self) -> u64 {
        self.shown.iter().map(|shown| tree::size(&shown.files)).sum()
    }

    /// Writes the archive, piece by piece.
    pub(super) fn pack(&self, pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
        let mut archive = tar::Builder::new(Pieces { pieces, buffer: Vec::with_capacity(PIECE) });
        put(&mut archive, "work/work", &self.work)?;
        for shown in &self.shown {
            let root = if shown.is_file { "environment".into() } else { format!("environment/{}", shown.place) };
            put(&mut archive, &root, &shown.files)?;
        }
        archive.into_inner()?.flush()
    }
}

fn show(index: usize, mount: &Mount) -> Result<Shown, SandboxError> {
    let place = format!("m{index}");
    let target = mount.target.clone();
    if mount.source.is_dir() {
        return Ok(Shown { place, target, is_file: false, files: tree::union([mount.source.as_path()])? });
    }
    let data = mount.source.metadata().map_err(|error| SandboxError::Spec {
        path: mount.source.clone(),
        reason: format!("it cannot be read: {error}"),
    })?;
    let mode = std::os::unix::fs::MetadataExt::mode(&data) & 0o7777;
    let entry = Entry { kind: Kind::File { size: data.len() }, mode, modified: 0, source: mount.source.clone() };
    Ok(Shown { files: Tree::from([(place.clone().into_bytes(), entry)]), place, target, is_file: true })
}

fn put(archive: &mut tar::Builder<Pieces>, root: &str, tree: &Tree) -> io::Result<()> {
    for (path, entry) in tree {
        let path = Path::new(root).join(std::ffi::OsStr::from_bytes(path));
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode & 0o777);
        header.set_mtime(entry.modified);
        header.set_size(0);
        match &entry.kind {
            Kind::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, path, io::empty())?;
            }
            Kind::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, path, std::ffi::OsStr::from_bytes(target))?;
            }
            Kind::File { size } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(*size);
                let exactly = Exactly { file: File::open(&entry.source)?, left: *size };
                archive.append_data(&mut header, path, exactly)?;
            }
        }
    }
    Ok(())
}

/// A file that must have the length it had; otherwise everything after it would be read wrongly.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.file).take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("a file of a layer became shorter while it was copied"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Hands on what is written, in pieces.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        self.pieces.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
