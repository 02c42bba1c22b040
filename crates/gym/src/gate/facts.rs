//! What the gates need of the hidden part of a task, whichever skill it is of.

use serde::Deserialize;

use crate::grade::Workshop;
use crate::grade::repair::Repair;
use crate::record::TestId;
use crate::task::Task;
use crate::tree::{Tree, TreeId};

/// Hidden facts by name; skills that have no such fact leave it empty.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Facts {
    /// Files to find.
    #[serde(default)]
    pub(super) gold: Option<Vec<String>>,
    /// What a change has to do.
    #[serde(default)]
    pub(super) repair: Option<Repair>,
    /// Tests that show whether what a change made is used; those that it has to make pass may be missing then.
    #[serde(default)]
    pub(super) using: Option<Vec<TestId>>,
    /// Files that make the tree healthy.
    #[serde(default)]
    pub(super) fixed: Option<TreeId>,
    /// Files that make the target wrong.
    #[serde(default)]
    pub(super) variants: Option<Vec<TreeId>>,
    /// The right judgment.
    #[serde(default)]
    pub(super) label: Option<String>,
    /// Tests that the judged change fails.
    #[serde(default)]
    pub(super) failing: Option<Vec<String>>,
    /// The file that the judged change touches.
    #[serde(default)]
    pub(super) path: Option<String>,
    /// Calls with their values in healthy code.
    #[serde(default)]
    pub(super) probes: Option<Vec<(String, String)>>,
}

/// A file as it is and as it should be.
pub(super) struct Change {
    pub(super) path: String,
    pub(super) before: String,
    pub(super) after: String,
}

impl Facts {
    pub(super) fn of(task: &Task) -> Result<Self, String> {
        Self::deserialize(&task.hidden).map_err(|error| error.to_string())
    }

    /// The files that the solution changes, where the task has them.
    pub(super) fn changes(&self, workshop: &Workshop, shown: &Tree) -> Result<Vec<Change>, String> {
        let read = |id: &TreeId| workshop.blobs.tree(id).map_err(|error| error.to_string());
        let (before, after) = match (&self.repair, &self.fixed) {
            (Some(repair), _) => (read(&repair.buggy)?, read(&repair.fixed)?),
            (None, Some(fixed)) => (std::sync::Arc::new(shown.clone()), read(fixed)?),
            (None, None) => return Ok(Vec::new()),
        };
        let differs = after.iter().filter(|(path, bytes)| before.get(path) != Some(bytes));
        let change = |(path, _): (&str, &[u8])| {
            let text = |tree: &Tree| tree.text(path).unwrap_or_default().to_owned();
            Change { path: path.to_owned(), before: text(&before), after: text(&after) }
        };
        Ok(differs.map(change).collect())
    }
}

impl Change {
    /// Lines that only the solution has.
    pub(super) fn added(&self) -> impl Iterator<Item = &str> {
        let known = |line: &&str| self.before.lines().any(|other| other.trim() == *line);
        self.after.lines().map(str::trim).filter(move |line| !line.is_empty() && !known(line))
    }
}
