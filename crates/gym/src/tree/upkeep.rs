//! What a layer store holds, what it costs, when it was last asked for, and the removal of what nobody asks for any more.
//!
//! A layer goes in one step, so that nobody finds half of one. Whoever needs it again makes it again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{LayerStore, with_path};

/// Where the times of use are kept, one empty file for each layer.
const USED: &str = ".used";
/// How the names of layers that are being removed begin.
const GOING: &str = ".partial-";

/// A layer of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name in the store.
    pub key: String,
    /// Its directory.
    pub path: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it was last asked for, or made.
    pub used: SystemTime,
}

impl Kept {
    /// What it is: the beginning of its name, or `tree` when that is nothing but a hash.
    pub fn kind(&self) -> &str {
        let kind = self.key.split('-').next().unwrap_or_default();
        let is_hash = kind.len() >= 32 && kind.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash { "tree" } else { kind }
    }
}

impl LayerStore {
    /// Notes that a layer was asked for. What cannot be noted only makes the layer look older.
    pub(super) fn touch(&self, key: &str) {
        let place = self.root.join(USED);
        let note = || std::fs::File::create(place.join(key));
        if note().is_err() {
            let _ = std::fs::create_dir_all(&place).and_then(|()| note());
        }
    }

    /// All layers, those that were asked for longest ago first.
    ///
    /// # Errors
    /// The first file-system error.
    pub fn kept(&self) -> std::io::Result<Vec<Kept>> {
        let mut found = Vec::new();
        for entry in with_path(&self.root, std::fs::read_dir(&self.root))? {
            let entry = entry?;
            let Ok(key) = entry.file_name().into_string() else { continue };
            if key.starts_with('.') {
                continue;
            }
            let times = [self.root.join(USED).join(&key), entry.path()];
            let used = times.iter().filter_map(|path| path.metadata().ok()?.modified().ok()).max();
            let bytes = size(&entry.path())?;
            found.push(Kept { key, path: entry.path(), bytes, used: used.unwrap_or(SystemTime::UNIX_EPOCH) });
        }
        found.sort_by(|one, other| (one.used, &one.key).cmp(&(other.used, &other.key)));
        Ok(found)
    }

    /// Removes layers, those that were asked for longest ago first, until the others have at most `budget` bytes. Those that were asked
    /// for within `spared` stay.
    ///
    /// # Errors
    /// The first file-system error.
    pub fn evict(&self, budget: u64, spared: Duration) -> std::io::Result<Vec<Kept>> {
        let kept = self.kept()?;
        let mut left: u64 = kept.iter().map(|layer| layer.bytes).sum();
        let mut gone = Vec::new();
        for (number, layer) in kept.into_iter().enumerate() {
            let is_young = layer.used.elapsed().is_ok_and(|age| age < spared);
            if left <= budget || is_young {
                continue;
            }
            let going = self.root.join(format!("{GOING}{}-gone-{number}", std::process::id()));
            with_path(&layer.path, std::fs::rename(&layer.path, &going))?;
            with_path(&going, std::fs::remove_dir_all(&going))?;
            let _ = std::fs::remove_file(self.root.join(USED).join(&layer.key));
            left -= layer.bytes;
            gone.push(layer);
        }
        Ok(gone)
    }
}

/// Bytes of all files below a path; links are not followed.
fn size(path: &Path) -> std::io::Result<u64> {
    let mut total = 0;
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let data = with_path(&path, path.symlink_metadata())?;
        match data.is_dir() {
            true => {
                for entry in with_path(&path, std::fs::read_dir(&path))? {
                    pending.push(entry?.path());
                }
            }
            false => total += data.len(),
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_that_were_asked_for_longest_ago_go_first() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = LayerStore::open(directory.path()).expect("opened");
        let make = |key: &str| store.build(key, &|path| std::fs::write(path.join("file"), [0; 100])).expect("built");
        let paths = ["crates-a", "crates-b", "0123456789abcdef0123456789abcdef"].map(make);
        for (key, age) in [("crates-a", 30), ("crates-b", 20), ("0123456789abcdef0123456789abcdef", 10)] {
            let then = SystemTime::now() - Duration::from_secs(age * 3600);
            let file = |path: PathBuf| std::fs::File::open(path).and_then(|file| file.set_modified(then));
            file(store.root.join(USED).join(key)).and_then(|()| file(store.root.join(key))).expect("dated");
        }
        // Asked for again.
        make("crates-a");
        let kinds: Vec<String> = store.kept().expect("listed").iter().map(|it| it.kind().to_owned()).collect();
        assert_eq!(kinds, ["crates", "tree", "crates"]);
        let gone = store.evict(100, Duration::from_secs(3600)).expect("removed");
        assert_eq!(
            gone.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(),
            ["crates-b", "0123456789abcdef0123456789abcdef"]
        );
        assert!(paths[0].exists() && !paths[1].exists() && !paths[2].exists());
        assert!(store.evict(0, Duration::from_secs(3600)).expect("nothing is old").is_empty());
    }
}
