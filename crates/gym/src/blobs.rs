//! Trees as content-addressed, compressed files: one blob per file content, one manifest per tree.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::tree::{Tree, TreeId, with_path};

/// A directory of blobs. Writing is idempotent, reading is cached.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
    /// Further directories to read from.
    others: Vec<PathBuf>,
    trees: Mutex<HashMap<TreeId, Arc<Tree>>>,
}

/// A blob or tree that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// A file-system error, with its path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The content does not have the hash under which it is stored.
    #[error("`{path}` is damaged: {reason}; fetch or build the pack again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Blobs {
    /// Opens the directory, creating it if it is not there.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let root = root.into();
        with_path(&root, std::fs::create_dir_all(&root))?;
        Ok(Self { root, others: Vec::new(), trees: Mutex::default() })
    }

    /// The same, also reading what is only in another directory of blobs.
    #[must_use]
    pub fn also_from(mut self, other: PathBuf) -> Self {
        self.others.push(other);
        self
    }

    /// Stores a tree and returns its id.
    ///
    /// # Errors
    /// File-system errors.
    pub fn put(&self, tree: &Tree) -> Result<TreeId, BlobError> {
        let id = tree.id();
        let mut manifest = BTreeMap::new();
        for (path, bytes) in tree.iter() {
            manifest.insert(path.to_owned(), self.put_bytes(bytes)?);
        }
        let text = serde_json::to_vec(&manifest).expect("a manifest has only string keys");
        self.write(&self.root.join(format!("{}.tree", id.0)), &text)?;
        self.remember(&id, Arc::new(tree.clone()));
        Ok(id)
    }

    /// The tree with this id.
    ///
    /// # Errors
    /// [`BlobError::Io`] when a file is missing, [`BlobError::Damaged`] when a hash does not match.
    pub fn tree(&self, id: &TreeId) -> Result<Arc<Tree>, BlobError> {
        if let Some(tree) = self.trees.lock().expect("no panic while locked").get(id) {
            return Ok(tree.clone());
        }
        let path = self.root.join(format!("{}.tree", id.0));
        let manifest: BTreeMap<String, String> = serde_json::from_slice(&self.read(&path)?)
            .map_err(|error| BlobError::Damaged { path: path.clone(), reason: error.to_string() })?;
        let mut tree = Tree::new();
        for (file, hash) in manifest {
            tree.insert(file, self.bytes(&hash)?);
        }
        if tree.id() != *id {
            return Err(BlobError::Damaged { path, reason: format!("content hashes to {}", tree.id().0) });
        }
        let tree = Arc::new(tree);
        self.remember(id, tree.clone());
        Ok(tree)
    }

    fn remember(&self, id: &TreeId, tree: Arc<Tree>) {
        self.trees.lock().expect("no panic while locked").insert(id.clone(), tree);
    }

    fn put_bytes(&self, bytes: &[u8]) -> Result<String, BlobError> {
        let hash = blake3::hash(bytes).to_hex()[..32].to_owned();
        let path = self.path(&hash);
        if !path.exists() {
            let parent = path.parent().expect("a blob lies in a directory");
            with_path(parent, std::fs::create_dir_all(parent))?;
            self.write(&path, bytes)?;
        }
        Ok(hash)
    }

    fn bytes(&self, hash: &str) -> Result<Vec<u8>, BlobError> {
        if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let reason = format!("a manifest names `{hash}`, expected 32 hexadecimal digits");
            return Err(BlobError::Damaged { path: self.root.clone(), reason });
        }
        let path = self.path(hash);
        let bytes = self.read(&path)?;
        let found = blake3::hash(&bytes).to_hex()[..32].to_owned();
        if found == hash {
            Ok(bytes)
        } else {
            Err(BlobError::Damaged { path, reason: format!("content hashes to {found}") })
        }
    }

    fn path(&self, hash: &str) -> PathBuf {
        self.root.join(&hash[..2]).join(hash)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), BlobError> {
        let packed = with_path(path, zstd::encode_all(bytes, 3))?;
        Ok(write_atomically(path, &packed)?)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, BlobError> {
        let relative = path.strip_prefix(&self.root).expect("blobs lie below the root");
        let elsewhere = || self.others.iter().find_map(|other| std::fs::read(other.join(relative)).ok());
        let packed = match std::fs::read(path) {
            Ok(packed) => packed,
            Err(error) => elsewhere().map_or_else(|| with_path(path, Err(error)), Ok)?,
        };
        zstd::decode_all(packed.as_slice())
            .map_err(|error| BlobError::Damaged { path: path.to_path_buf(), reason: error.to_string() })
    }
}

/// Writes a file so that readers see either nothing or all of it.
///
/// # Errors
/// The first file-system error, with its path in the message.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let serial = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.{}-{serial}", std::process::id()));
    let written = with_path(&partial, std::fs::write(&partial, bytes))
        .and_then(|()| with_path(path, std::fs::rename(&partial, path)));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_tree_reads_back_equal_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::new();
        tree.insert("pkg/a.py", "x = 1\n");
        tree.insert("pkg/data.bin", vec![0, 255, 1]);
        let id = Blobs::open(dir.path()).unwrap().put(&tree).unwrap();
        assert_eq!(*Blobs::open(dir.path()).unwrap().tree(&id).unwrap(), tree);

        let blobs = Blobs::open(dir.path()).unwrap();
        let hash = blobs.put_bytes(b"x = 1\n").unwrap();
        std::fs::write(blobs.path(&hash), zstd::encode_all(&b"x = 2\n"[..], 3).unwrap()).unwrap();
        let error = blobs.tree(&id).unwrap_err().to_string();
        assert!(error.contains(&hash) && error.contains("damaged"), "{error}");
    }
}
