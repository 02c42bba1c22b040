//! How often a policy solved each task of a pack, beside the pack: what is never solved teaches nothing yet, what is always solved
//! nothing any more.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Pack, PackError, lines};
use crate::blobs::write_atomically;

const FILE: &str = "measured.jsonl";

/// One task in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The task.
    pub task: String,
    /// Name of the run.
    pub run: String,
    /// Who acted, with the digest of its weights if it has any.
    pub model: String,
    /// Seconds since 1970 when the run began.
    pub started: u64,
    /// Judged episodes.
    pub judged: u32,
    /// Those with a reward above 0.
    pub solved: u32,
}

impl Measured {
    /// Whether some episodes solved the task and some did not.
    pub fn is_telling(&self) -> bool {
        0 < self.solved && self.solved < self.judged
    }
}

impl Pack {
    /// What was measured on the tasks of the pack in this directory; nothing when there is no such file.
    ///
    /// # Errors
    /// [`PackError::Damaged`], [`PackError::Io`].
    pub fn measured(path: &Path) -> Result<Vec<Measured>, PackError> {
        let file = path.join(FILE);
        let damaged = |reason: String| PackError::Damaged { path: file.clone(), reason };
        match std::fs::read_to_string(&file) {
            Ok(text) => text
                .lines()
                .map(|line| serde_json::from_str(line).map_err(|error| damaged(error.to_string())))
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds what one run showed; what the same run showed before goes.
    ///
    /// # Errors
    /// [`PackError::Damaged`], [`PackError::Io`].
    pub fn measure(path: &Path, run: &str, rows: Vec<Measured>) -> Result<(), PackError> {
        let mut all = Self::measured(path)?;
        all.retain(|row| row.run != run);
        all.extend(rows);
        Ok(write_atomically(&path.join(FILE), &lines(&all.iter().collect::<Vec<_>>()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_kept_beside_each_other_and_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let row = |run: &str, solved| Measured {
            task: "a".into(),
            run: run.into(),
            model: "nothing".into(),
            started: 7,
            judged: 4,
            solved,
        };
        Pack::measure(directory.path(), "one", vec![row("one", 0)]).unwrap();
        Pack::measure(directory.path(), "two", vec![row("two", 4)]).unwrap();
        Pack::measure(directory.path(), "one", vec![row("one", 2)]).unwrap();
        let rows = Pack::measured(directory.path()).unwrap();
        assert_eq!(rows, [row("two", 4), row("one", 2)]);
        assert_eq!(rows.iter().map(Measured::is_telling).collect::<Vec<_>>(), [false, true]);
    }
}
