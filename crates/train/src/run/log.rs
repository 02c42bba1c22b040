//! What the loop needs of a store, and the run store of the gym as one.

use basis_gym::episode::Episode;
use basis_gym::store::Recorder;

/// Why something could not be recorded; the loop only passes it on.
pub type LogError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps what happens in a run.
pub trait RunLog {
    /// Records an episode and returns whether it was new; it is named by phase, iteration, task and sample. When this returns,
    /// the episode survives a kill.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn record(&mut self, phase: &str, iteration: u32, episode: &Episode) -> Result<bool, LogError>;

    /// Every episode recorded under this phase and iteration, tokens included.
    ///
    /// # Errors
    /// When the record cannot be read.
    fn episodes(&mut self, phase: &str, iteration: u32) -> Result<Vec<Episode>, LogError>;

    /// Records the numbers of one iteration.
    ///
    /// # Errors
    /// When they cannot be recorded.
    fn metrics(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), LogError>;

    /// Forgets the numbers of iterations after `last` and of a probe after it, or all: they will come again.
    ///
    /// # Errors
    /// When the record cannot be changed.
    fn rewind(&mut self, last: Option<u64>) -> Result<(), LogError>;
}

impl RunLog for Recorder {
    fn record(&mut self, phase: &str, iteration: u32, episode: &Episode) -> Result<bool, LogError> {
        Ok(Self::record(self, phase, iteration, episode)?)
    }

    fn episodes(&mut self, phase: &str, iteration: u32) -> Result<Vec<Episode>, LogError> {
        Ok(self.reader()?.episodes(phase, iteration)?)
    }

    fn metrics(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), LogError> {
        let values: Vec<(&str, f64)> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        Ok(Self::metrics(self, step, &values)?)
    }

    fn rewind(&mut self, last: Option<u64>) -> Result<(), LogError> {
        Ok(self.rewind_metrics(last)?)
    }
}
