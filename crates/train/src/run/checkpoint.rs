//! What was learned, on disk: one directory per kept iteration.
//!
//! ```text
//! checkpoints/0007/    weights and optimiser as the engine writes them, the renderer's files, state.json
//!             best.json   the iteration that did best in a probe
//! ```
//!
//! A checkpoint appears by rename and is complete when it has its final name. Directories are read by version: a newer one is
//! refused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::engines::Engine;
use crate::renderer::{self, Renderer};

/// Version of `state.json` and `best.json`.
const VERSION: u32 = 1;

/// The checkpoints of one run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    root: PathBuf,
}

/// What a checkpoint knows beside weights and optimiser.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this file.
    pub version: u32,
    /// Finished iterations.
    pub iteration: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Best {
    version: u32,
    iteration: u32,
    /// Mean success rate over skills and kinds.
    average: f64,
}

impl Checkpoints {
    /// The checkpoints below `root`, which is made when it is not there. Leftovers of a killed writer are removed.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let checkpoints = Self { root: root.into() };
        at(&checkpoints.root, fs::create_dir_all(&checkpoints.root))?;
        checkpoints.sweep()?;
        Ok(checkpoints)
    }

    /// Removes what is not complete, and scratch directories.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`].
    pub fn sweep(&self) -> Result<(), TrainError> {
        self.names()?.iter().filter(|name| name.starts_with(".partial-")).try_for_each(|name| self.remove(name))
    }

    /// Writes a checkpoint after `iteration`; it is there completely or not at all.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`], or the engine's or renderer's.
    pub fn save(&self, engine: &dyn Engine, renderer: &dyn Renderer, iteration: u32) -> Result<PathBuf, TrainError> {
        let target = self.dir(iteration);
        let partial = self.root.join(format!(".partial-{}", name(iteration)));
        for stale in [&partial, &target] {
            if stale.exists() {
                at(stale, fs::remove_dir_all(stale))?;
            }
        }
        at(&partial, fs::create_dir(&partial))?;
        engine.save(&partial, true)?;
        renderer::save(renderer, &partial)?;
        write_json(&partial.join("state.json"), &State { version: VERSION, iteration })?;
        sync_all(&partial)?;
        at(&target, fs::rename(&partial, &target))?;
        sync(&self.root)?;
        Ok(target)
    }

    /// A directory for weights that are needed for a while; [`Checkpoints::sweep`] removes it.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`].
    pub fn scratch(&self, name: &str) -> Result<PathBuf, TrainError> {
        let dir = self.root.join(format!(".partial-{name}"));
        if dir.exists() {
            at(&dir, fs::remove_dir_all(&dir))?;
        }
        Ok(dir)
    }

    /// Loads the newest checkpoint into `engine`; `None` when there is none.
    ///
    /// # Errors
    /// [`TrainError::Damaged`], [`TrainError::Checkpoint`], or the engine's.
    pub fn restore(&self, engine: &mut dyn Engine) -> Result<Option<State>, TrainError> {
        let Some(iteration) = self.iterations()?.pop() else { return Ok(None) };
        let dir = self.dir(iteration);
        let state: State = read_json(&dir.join("state.json"))?;
        check_version(&dir.join("state.json"), state.version)?;
        engine.load(&dir)?;
        Ok(Some(state))
    }

    /// Notes how the weights of `iteration` did in a probe; ties go to the earlier one.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`], [`TrainError::Damaged`].
    pub fn note(&self, iteration: u32, average: f64) -> Result<(), TrainError> {
        if self.best()?.is_some_and(|best| best.average >= average) {
            return Ok(());
        }
        let partial = self.root.join(".partial-best");
        write_json(&partial, &Best { version: VERSION, iteration, average })?;
        let target = self.root.join("best.json");
        at(&target, fs::rename(&partial, &target))
    }

    /// The directory of the best probed checkpoint that is still there.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`], [`TrainError::Damaged`].
    pub fn best_dir(&self) -> Result<Option<PathBuf>, TrainError> {
        Ok(self.best()?.map(|best| self.dir(best.iteration)).filter(|dir| dir.is_dir()))
    }

    /// Removes all but the newest `keep` checkpoints and the best one.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`], [`TrainError::Damaged`].
    pub fn prune(&self, keep: usize) -> Result<(), TrainError> {
        let best = self.best()?.map(|best| best.iteration);
        let iterations = self.iterations()?;
        let old = &iterations[..iterations.len().saturating_sub(keep)];
        old.iter()
            .filter(|iteration| Some(**iteration) != best)
            .try_for_each(|iteration| self.remove(&name(*iteration)))
    }

    /// Iterations with a complete checkpoint, in order.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`].
    pub fn iterations(&self) -> Result<Vec<u32>, TrainError> {
        let mut iterations: Vec<u32> = self.names()?.iter().filter_map(|name| name.parse().ok()).collect();
        iterations.sort_unstable();
        Ok(iterations)
    }

    /// The directory of a checkpoint, whether it is there or not.
    pub fn dir(&self, iteration: u32) -> PathBuf {
        self.root.join(name(iteration))
    }

    fn best(&self) -> Result<Option<Best>, TrainError> {
        let path = self.root.join("best.json");
        if !path.exists() {
            return Ok(None);
        }
        let best: Best = read_json(&path)?;
        check_version(&path, best.version).map(|()| Some(best))
    }

    fn names(&self) -> Result<Vec<String>, TrainError> {
        let mut names = Vec::new();
        for entry in at(&self.root, fs::read_dir(&self.root))? {
            names.extend(at(&self.root, entry)?.file_name().into_string());
        }
        Ok(names)
    }

    /// Renames first, so that a kill in the middle leaves no half checkpoint under a final name.
    fn remove(&self, name: &str) -> Result<(), TrainError> {
        let path = self.root.join(name);
        if path.is_file() {
            return at(&path, fs::remove_file(&path));
        }
        let doomed = self.root.join(format!(".partial-old-{}", name.trim_start_matches(".partial-")));
        if doomed != path {
            at(&path, fs::rename(&path, &doomed))?;
        }
        at(&doomed, fs::remove_dir_all(&doomed))
    }
}

/// Four digits, or more when there are more iterations.
fn name(iteration: u32) -> String {
    format!("{iteration:04}")
}

fn check_version(path: &Path, version: u32) -> Result<(), TrainError> {
    match version <= VERSION {
        true => Ok(()),
        false => Err(damaged(path, format!("version {version} is newer than {VERSION}"))),
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, TrainError> {
    let bytes = fs::read(path).map_err(|error| damaged(path, error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, error.to_string()))
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), TrainError> {
    let bytes = serde_json::to_vec(value).expect("has only string keys");
    at(path, fs::write(path, bytes))?;
    sync(path)
}

fn sync_all(dir: &Path) -> Result<(), TrainError> {
    for entry in at(dir, fs::read_dir(dir))? {
        sync(&at(dir, entry)?.path())?;
    }
    sync(dir)
}

fn sync(path: &Path) -> Result<(), TrainError> {
    at(path, File::open(path).and_then(|file| file.sync_all()))
}

fn damaged(path: &Path, reason: String) -> TrainError {
    TrainError::Damaged { path: path.to_path_buf(), reason }
}

fn at<T>(path: &Path, result: std::io::Result<T>) -> Result<T, TrainError> {
    result.map_err(|source| TrainError::Checkpoint { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, renderer};

    fn checkpoints() -> (tempfile::TempDir, Checkpoints) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let checkpoints = Checkpoints::open(dir.path().join("checkpoints")).expect("opens");
        (dir, checkpoints)
    }

    #[test]
    fn the_newest_complete_checkpoint_is_restored() {
        let (_dir, checkpoints) = checkpoints();
        let mut engine = Script::new(Vec::new());
        assert_eq!(checkpoints.restore(&mut engine).expect("reads"), None);
        for iteration in [9, 10] {
            checkpoints.save(&engine, renderer().as_ref(), iteration).expect("saves");
        }
        fs::create_dir(checkpoints.root.join(".partial-0011")).expect("a killed writer");
        let checkpoints = Checkpoints::open(&checkpoints.root).expect("opens");
        assert_eq!(checkpoints.restore(&mut engine).expect("reads").expect("is there").iteration, 10);
        assert_eq!(checkpoints.names().expect("lists").len(), 2, "the leftover is gone");
    }

    #[test]
    fn the_newest_and_the_best_are_kept() {
        let (_dir, checkpoints) = checkpoints();
        for (iteration, average) in [(1, 0.1), (2, 0.7), (3, 0.3), (4, 0.7), (5, 0.2)] {
            checkpoints.save(&Script::new(Vec::new()), renderer().as_ref(), iteration).expect("saves");
            checkpoints.note(iteration, average).expect("notes");
            checkpoints.prune(2).expect("prunes");
        }
        assert_eq!(checkpoints.iterations().expect("lists"), [2, 4, 5]);
        assert_eq!(checkpoints.best_dir().expect("reads"), Some(checkpoints.dir(2)));
    }

    #[test]
    fn a_damaged_or_newer_state_is_refused_with_the_next_step() {
        let (_dir, checkpoints) = checkpoints();
        let mut engine = Script::new(Vec::new());
        let state = checkpoints.save(&engine, renderer().as_ref(), 1).expect("saves").join("state.json");
        for (content, reason) in [("{", "EOF"), (r#"{"version":9,"iteration":1}"#, "version 9 is newer than 1")] {
            fs::write(&state, content).expect("writes");
            let text = checkpoints.restore(&mut engine).expect_err("is refused").to_string();
            assert!(text.contains(reason) && text.contains("remove its directory"), "{text}");
        }
    }
}
