//! What has been settled, written down at once, so that a run that was killed goes on where it was.
//!
//! One line for each thing that took time: a bug record or why there is none, the tasks of a record and a skill. The first line says for
//! what, and anything else begins anew. Failures of infrastructure are not settled. A torn last line is as if it had not been written.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::blobs::Blobs;
use crate::record::BugRecord;
use crate::tree::TreeId;

/// The ledger of one run of the factory. Without a directory it remembers nothing.
#[derive(Debug, Default)]
pub struct Ledger {
    pages: Option<Pages>,
}

#[derive(Debug)]
struct Pages {
    directory: PathBuf,
    file: Mutex<std::fs::File>,
    known: HashMap<String, String>,
    blobs: Blobs,
}

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has it.
    #[error("another process mines into `{0}`; wait for it, or choose another place")]
    Taken(PathBuf),
    /// A file-system error.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Its trees cannot be kept.
    #[error(transparent)]
    Blob(#[from] crate::blobs::BlobError),
}

impl Ledger {
    /// Opens the ledger in `directory`, which is made if it is not there. What it knows counts only if it was begun for the same `purpose`.
    ///
    /// # Errors
    /// [`LedgerError`] when another process uses it, or it cannot be written.
    pub fn open(directory: &Path, purpose: &str) -> Result<Self, LedgerError> {
        let blobs = Blobs::open(directory.join("blobs"))?;
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join("settled.jsonl"))?;
        if file.try_lock().is_err() {
            return Err(LedgerError::Taken(directory.to_owned()));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
        let mut lines = whole.lines();
        let head = serde_json::to_string(purpose).expect("text is JSON");
        let (kept, known) = match lines.next() == Some(&head) {
            true => {
                (whole.len(), lines.filter_map(|line| serde_json::from_str::<(String, String)>(line).ok()).collect())
            }
            false => (0, HashMap::new()),
        };
        file.set_len(kept as u64)?;
        file.seek(SeekFrom::End(0))?;
        if kept == 0 {
            writeln!(file, "{head}")?;
        }
        Ok(Self { pages: Some(Pages { directory: directory.to_owned(), file: Mutex::new(file), known, blobs }) })
    }

    /// How much is settled.
    pub fn len(&self) -> usize {
        self.pages.as_ref().map_or(0, |pages| pages.known.len())
    }

    /// Whether nothing is settled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes it: everything is done.
    ///
    /// # Errors
    /// File-system errors.
    pub fn close(self) -> std::io::Result<()> {
        self.pages.map_or(Ok(()), |pages| std::fs::remove_dir_all(pages.directory))
    }

    /// What was settled under `key`, or else what `work` gives now, which is written down unless it `is_open`.
    pub(super) fn settle<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        is_open: impl Fn(&T) -> bool,
        work: impl FnOnce() -> T,
    ) -> T {
        self.known(key).unwrap_or_else(|| {
            let value = work();
            if !is_open(&value) {
                self.write(key, &value);
            }
            value
        })
    }

    /// The same for bug records, whose trees are kept beside.
    pub(super) fn settle_records<E: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        is_open: impl Fn(&E) -> bool,
        work: impl FnOnce() -> Vec<Result<BugRecord, E>>,
    ) -> Vec<Result<BugRecord, E>> {
        let Some(pages) = &self.pages else { return work() };
        let known: Option<Vec<Result<Stored, E>>> = self.known(key);
        let load = |row: Result<Stored, E>| match row {
            Ok(stored) => Some(Ok(stored.load(&pages.blobs)?)),
            Err(error) => Some(Err(error)),
        };
        if let Some(records) = known.and_then(|rows| rows.into_iter().map(load).collect()) {
            return records;
        }
        let made = work();
        let store = |row: &Result<BugRecord, E>| match row {
            Ok(record) => Stored::of(record, &pages.blobs).map(Ok),
            Err(error) => Some(Err(serde_json::to_value(error).expect("reasons have only string keys"))),
        };
        if !made.iter().any(|row| row.as_ref().is_err_and(&is_open))
            && let Some(rows) = made.iter().map(store).collect::<Option<Vec<Result<Stored, serde_json::Value>>>>()
        {
            self.write(key, &rows);
        }
        made
    }

    fn known<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.pages.as_ref()?.known.get(key)?).ok()
    }

    /// What cannot be written is done again the next time.
    fn write(&self, key: &str, value: &impl Serialize) {
        let Some(pages) = &self.pages else { return };
        let text = serde_json::to_string(value).expect("results have only string keys");
        let line = serde_json::to_string(&(key, text)).expect("two texts are JSON");
        let _ = pages.file.lock().expect("no panic while locked").write_all(format!("{line}\n").as_bytes());
    }
}

/// A record without its trees.
#[derive(Serialize, Deserialize)]
struct Stored {
    record: BugRecord,
    fixed: TreeId,
    buggy: TreeId,
}

impl Stored {
    fn of(record: &BugRecord, blobs: &Blobs) -> Option<Self> {
        let (fixed, buggy) = (blobs.put(&record.fixed).ok()?, blobs.put(&record.buggy).ok()?);
        Some(Self { record: record.clone(), fixed, buggy })
    }

    fn load(self, blobs: &Blobs) -> Option<BugRecord> {
        let read = |id: &TreeId| Some((*blobs.tree(id).ok()?).clone());
        Some(BugRecord { fixed: read(&self.fixed)?, buggy: read(&self.buggy)?, ..self.record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    fn open(directory: &Path, purpose: &str) -> Ledger {
        Ledger::open(directory, purpose).expect("a ledger")
    }

    #[test]
    fn what_is_settled_is_not_done_again_and_a_torn_line_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let settle = |ledger: &Ledger, key: &str, value: u32| ledger.settle(key, |value| *value == 0, || value);
        let first = open(directory.path(), "this");
        assert_eq!([settle(&first, "a", 1), settle(&first, "b", 0), settle(&first, "c", 3)], [1, 0, 3]);
        assert!(matches!(Ledger::open(directory.path(), "this"), Err(LedgerError::Taken(_))));
        drop(first);
        let path = directory.path().join("settled.jsonl");
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, &text[..text.len() - 3]).expect("torn");
        let second = open(directory.path(), "this");
        assert_eq!(second.len(), 1);
        assert_eq!([settle(&second, "a", 7), settle(&second, "b", 7), settle(&second, "c", 7)], [1, 7, 7]);
        drop(second);
        let third = open(directory.path(), "this");
        assert_eq!((third.len(), settle(&third, "c", 9)), (3, 7));
        drop(third);
        assert!(open(directory.path(), "that").is_empty());
    }

    #[test]
    fn records_come_back_with_their_trees() {
        let (_cache, workshop) = testkit::workshop();
        let record = testkit::record(&workshop);
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = open(directory.path(), "this");
        let made = || vec![Ok(record.clone()), Err("hangs".to_owned())];
        drop(ledger.settle_records("a", |_: &String| false, made));
        drop(ledger);
        let known = open(directory.path(), "this").settle_records("a", |_: &String| false, || panic!("it is known"));
        let back = known[0].as_ref().expect("a record");
        assert_eq!((&back.fixed, &back.buggy, &back.change), (&record.fixed, &record.buggy, &record.change));
        assert_eq!((&back.symptoms, back.processor), (&record.symptoms, record.processor));
        assert_eq!(known[1].as_ref().err(), Some(&"hangs".to_owned()));
    }
}
