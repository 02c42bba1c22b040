//! A tree of files in memory, addressed by its content.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

mod upkeep;

pub use upkeep::Kept;

/// When every written file was changed: 1 January 2020.
const TIME_OF_CHANGE: Duration = Duration::from_secs(1_577_836_800);

/// Files by repository-relative path (`/` between components, no leading `/`, no `.` or `..`). Regular files only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

/// The content hash of a tree: 32 hexadecimal digits of BLAKE3 over paths and bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeId(pub String);

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads all regular files below `root`, leaving out what `skip` says (it gets relative paths of files and directories).
    ///
    /// # Errors
    /// The first file-system error, with its path in the message.
    pub fn from_dir(root: &Path, skip: &dyn Fn(&str) -> bool) -> std::io::Result<Self> {
        let mut tree = Self::new();
        let mut pending = vec![(root.to_path_buf(), String::new())];
        while let Some((dir, prefix)) = pending.pop() {
            for entry in with_path(&dir, std::fs::read_dir(&dir))? {
                let entry = with_path(&dir, entry)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                let kind = with_path(&entry.path(), entry.file_type())?;
                if skip(&relative) {
                    continue;
                }
                if kind.is_dir() {
                    pending.push((entry.path(), relative));
                } else if kind.is_file() {
                    tree.files.insert(relative, with_path(&entry.path(), std::fs::read(entry.path()))?);
                }
            }
        }
        Ok(tree)
    }

    /// Writes every file below `root`, which must exist. All carry the same time of change: it must not tell which file is new.
    ///
    /// # Errors
    /// The first file-system error, with its path in the message.
    pub fn write_to(&self, root: &Path) -> std::io::Result<()> {
        for (path, bytes) in &self.files {
            let target = root.join(path);
            if let Some(parent) = target.parent() {
                with_path(parent, std::fs::create_dir_all(parent))?;
            }
            with_path(&target, write_with_time(&target, bytes))?;
        }
        Ok(())
    }

    /// The content hash.
    pub fn id(&self) -> TreeId {
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in &self.files {
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        TreeId(hasher.finalize().to_hex()[..32].to_owned())
    }

    /// The bytes of a file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// A file as text, if it is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.get(path)?).ok()
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), bytes.into());
    }

    /// This tree with the files of another one on top.
    #[must_use]
    pub fn with(mut self, other: &Tree) -> Self {
        other.iter().for_each(|(path, bytes)| self.insert(path, bytes));
        self
    }

    /// Removes a file; returns whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        self.files.remove(path).is_some()
    }

    /// Removes a file, or a directory with everything below it but what `keep` says.
    pub fn remove_below(&mut self, path: &str, keep: &dyn Fn(&str) -> bool) {
        let below = |file: &str| file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        self.files.retain(|file, _| !below(file) || keep(file));
    }

    /// Whether a file is there.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// All paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All files in order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Content-addressed directories on disk, one per tree, made once and then only read.
#[derive(Debug, Clone)]
pub struct LayerStore {
    root: PathBuf,
}

impl LayerStore {
    /// Opens the store below `root`, creating the directory.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn open(root: impl Into<PathBuf>) -> std::io::Result<Self> {
        let root = root.into();
        with_path(&root, std::fs::create_dir_all(&root))?;
        // Sandboxes take layers by absolute path.
        let root = with_path(&root, root.canonicalize())?;
        Ok(Self { root })
    }

    /// The directory that holds exactly `tree`. Concurrent callers and killed writers are harmless: a layer appears by rename.
    ///
    /// # Errors
    /// The first file-system error.
    pub fn layer(&self, tree: &Tree) -> std::io::Result<PathBuf> {
        self.build(&tree.id().0, &|dir| tree.write_to(dir))
    }

    /// The directory called `key`, made by `fill` if it is not there yet.
    ///
    /// # Errors
    /// The first file-system error, or what `fill` returns.
    pub fn build(&self, key: &str, fill: &dyn Fn(&Path) -> std::io::Result<()>) -> std::io::Result<PathBuf> {
        let target = self.root.join(key);
        self.touch(key);
        if target.is_dir() {
            return Ok(target);
        }
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let serial = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let partial = self.root.join(format!("{PARTIAL}{}-{serial}", std::process::id()));
        with_path(&partial, std::fs::create_dir(&partial))?;
        let outcome = fill(&partial).and_then(|()| match std::fs::rename(&partial, &target) {
            Err(error) if !target.is_dir() => with_path(&target, Err(error)),
            _ => Ok(()),
        });
        // After a lost race or a failed fill the partial directory is still there.
        let _ = std::fs::remove_dir_all(&partial);
        outcome.map(|()| target)
    }
}

/// How the names of layers that are being written begin; the number of the writing process follows.
const PARTIAL: &str = ".partial-";
/// A layer that nobody has written to for so long is not being written, whatever its process number says.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(600);

impl LayerStore {
    /// Removes what killed writers left half-written, and returns the directories.
    ///
    /// # Errors
    /// The first file-system error.
    pub fn sweep(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        for entry in with_path(&self.root, std::fs::read_dir(&self.root))? {
            let path = entry?.path();
            if is_abandoned(&path) {
                with_path(&path, std::fs::remove_dir_all(&path))?;
                removed.push(path);
            }
        }
        Ok(removed)
    }
}

/// Whether a layer was begun by a process that is gone. Processes of other containers may write to the same store, and their
/// numbers say nothing here: only time does.
fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PARTIAL));
    let writer = name.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
    let lives = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
    let age = || path.metadata().ok()?.modified().ok()?.elapsed().ok();
    writer.is_some_and(|pid| !lives(pid)) && age().is_some_and(|age| age >= ABANDONED)
}

fn write_with_time(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.set_modified(SystemTime::UNIX_EPOCH + TIME_OF_CHANGE)
}

/// Adds the path to the message of a file-system error.
pub(crate) fn with_path<T>(path: &Path, result: std::io::Result<T>) -> std::io::Result<T> {
    result.map_err(|error| std::io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_layers_of_dead_writers_are_swept() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = LayerStore::open(directory.path()).expect("opened");
        let layer = store.build("whole", &|path| std::fs::write(path.join("file"), "text")).expect("built");
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        let partial = |pid: u32, modified: std::time::SystemTime| {
            let path = store.root.join(format!("{PARTIAL}{pid}-0"));
            std::fs::create_dir(&path).expect("made");
            std::fs::write(path.join("file"), "half").expect("written");
            std::fs::File::open(&path).and_then(|file| file.set_modified(modified)).expect("dated");
            path
        };
        // No process can have these numbers.
        let (dead, young) = (partial(u32::MAX, long_ago), partial(u32::MAX - 1, std::time::SystemTime::now()));
        let own = partial(std::process::id(), long_ago);
        assert_eq!(store.sweep().expect("swept"), std::slice::from_ref(&dead));
        assert!(!dead.exists() && young.exists() && own.exists() && layer.exists());
    }
}
