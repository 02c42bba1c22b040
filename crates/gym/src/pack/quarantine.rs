//! Tasks that turned out bad after their pack was made. They stay in its files, and nothing uses them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Pack, PackError, lines};
use crate::blobs::write_atomically;
use crate::task::Task;

const FILE: &str = "quarantine.jsonl";

/// A task that is not to be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// Its id.
    pub task: String,
    /// The gate that objected, and why.
    pub reason: String,
}

impl Pack {
    /// Says which tasks are not to be used, instead of what was said before.
    ///
    /// # Errors
    /// File-system errors.
    pub fn quarantine(path: &Path, tasks: &[Quarantined]) -> Result<(), PackError> {
        Ok(write_atomically(&path.join(FILE), &lines(&tasks.iter().collect::<Vec<_>>()))?)
    }
}

/// The list of a pack; empty when it has none.
pub(super) fn read(path: &Path) -> Result<Vec<Quarantined>, PackError> {
    let file = path.join(FILE);
    let damaged = |reason: String| PackError::Damaged { path: file.clone(), reason };
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            text.lines().map(|line| serde_json::from_str(line).map_err(|error| damaged(error.to_string()))).collect()
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// The other tasks. Whoever is left of a pair goes with it, or a constant answer would be worth something.
pub(super) fn without(tasks: Vec<Arc<Task>>, list: &[Quarantined]) -> Vec<Arc<Task>> {
    let ids: BTreeSet<&str> = list.iter().map(|row| row.task.as_str()).collect();
    let is_listed = |task: &&Arc<Task>| ids.contains(task.id.as_str());
    let pairs: BTreeSet<String> =
        tasks.iter().filter(is_listed).map(|task| task.pair.clone()).filter(|pair| !pair.is_empty()).collect();
    tasks.into_iter().filter(|task| !is_listed(&task) && !pairs.contains(&task.pair)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Evidence;
    use crate::testkit;

    #[test]
    fn tasks_in_quarantine_are_not_used_and_take_their_pair_with_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let task =
            |prompt: &str, pair: &str| Task { prompt: prompt.into(), pair: pair.into(), ..testkit::task() }.sealed();
        let tasks = [task("a", ""), task("b", ""), task("c", "p"), task("d", "p")];
        let passed = |task: &Task| Evidence {
            task: task.id.clone(),
            skill: task.skill.clone(),
            grader: task.grader.clone(),
            passed: true,
            reason: String::new(),
            runs: Vec::new(),
        };
        let path = directory.path();
        Pack::write(path, "pack", &tasks, &tasks.iter().map(passed).collect::<Vec<_>>()).expect("a pack");
        let left = |pack: Pack| pack.tasks.iter().map(|task| task.prompt.clone()).collect::<String>();
        assert_eq!(left(Pack::open(path).expect("it is whole")), "abcd");
        let bad = [&tasks[0], &tasks[3]].map(|task| Quarantined { task: task.id.clone(), reason: "G4 flaky".into() });
        Pack::quarantine(path, &bad).expect("the list can be written");
        assert_eq!(left(Pack::open(path).expect("it is whole")), "b");
        assert_eq!(left(Pack::open_whole(path).expect("it is whole")), "abcd");
        Pack::quarantine(path, &[]).expect("the list can be written");
        assert_eq!(left(Pack::open(path).expect("it is whole")), "abcd");
    }
}
