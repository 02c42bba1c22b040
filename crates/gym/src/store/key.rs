//! The name of an episode within its run.

use std::fmt;

/// Names one episode of a run; printed as `<phase>/<iteration>/<task>/<sample>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct EpisodeKey {
    /// Part of the run, for example `train`, `eval-before`, `probe`.
    pub phase: String,
    /// Iteration of training, from 0; 0 where there are none.
    pub iteration: u32,
    /// The task's id.
    pub task: String,
    /// Which sample of the task's group, from 0.
    pub sample: u32,
}

impl fmt::Display for EpisodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}/{}", self.phase, self.iteration, self.task, self.sample)
    }
}
