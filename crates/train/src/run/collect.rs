//! Plays the episodes of one iteration or probe, and records each as it comes.
//!
//! Episodes that were recorded before a kill are used again with their tokens; only the missing ones are played. Invalid
//! episodes are recorded last, and only when there are few: after an outage they are missing, and a resumed run plays them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use basis_gym::episode::{Episode, Grade};
use basis_gym::program::{AgentProgram, ProgramConfig};
use basis_gym::rollout::{Crew, Job, Player, SharedCounts, Sharing, World, dispatch, seed};
use basis_gym::task::Task;

use super::watch::{Phase, Watch};
use super::{Event, LogError, RunLog, TrainError};
use crate::engines::Engine;
use crate::policy::{EnginePolicy, SamplingOptions, with_policy};
use crate::renderer::Renderer;
use crate::upstream::MODEL;

/// What a rollout waits for when no episode is missing.
pub(super) const SAMPLING: &str = "the thread that samples, which has not ended; all its episodes have";

/// What plays and what listens.
pub(super) struct Stage<'a> {
    pub(super) engine: &'a mut dyn Engine,
    pub(super) renderer: &'a Arc<dyn Renderer>,
    pub(super) world: &'a dyn World,
    /// What acts with the policy's turns in place of our own loop.
    pub(super) program: Option<&'a ProgramConfig>,
    pub(super) log: &'a mut dyn RunLog,
    pub(super) events: &'a mut dyn FnMut(Event<'_>),
    pub(super) stop: &'a AtomicBool,
    pub(super) workers: usize,
    pub(super) max_invalid: f64,
    pub(super) watch: &'a Watch,
    /// Whether episodes of one task share what they do alike.
    pub(super) share: bool,
}

/// Where in the run the episodes belong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) phase: &'static str,
    pub(super) iteration: u32,
}

/// Episodes in the order of their jobs.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) episodes: Vec<Episode>,
    /// Whether some are missing because the run was told to stop.
    pub(super) stopped: bool,
    pub(super) reused: usize,
    pub(super) timing: Timing,
    /// What was shared, where episodes share.
    pub(super) shared: Option<SharedCounts>,
}

/// Where the time of a rollout went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timing {
    /// Wall time.
    pub(super) wall: Duration,
    /// Wall time in which the engine had tokens to sample.
    pub(super) sampling: Duration,
    /// Summed over episodes: acting without waiting for tokens.
    pub(super) sandbox: Duration,
    /// Summed over episodes: grading.
    pub(super) grading: Duration,
    /// Tokens sampled.
    pub(super) tokens: u64,
}

/// One job per task and sample, task by task; `place` separates the seeds of iterations.
pub(super) fn jobs(tasks: &[Arc<Task>], samples: u32, run_seed: u64, place: u64) -> Vec<Job> {
    let job = |task: &Arc<Task>, sample| {
        let seed = seed(run_seed, place, &task.id, sample);
        Job { task: Arc::clone(task), sample, seed }
    };
    tasks.iter().flat_map(|task| (0..samples).map(move |sample| job(task, sample))).collect()
}

/// The program in front of the policy, if there is one.
pub(super) fn over(config: Option<&ProgramConfig>, policy: &EnginePolicy) -> Option<AgentProgram> {
    config.map(|config| AgentProgram::new(config.clone(), Arc::new(policy.upstream(MODEL))))
}

/// Who plays.
pub(super) fn player<'a>(program: Option<&'a AgentProgram>, policy: &'a EnginePolicy) -> Player<'a> {
    program.map_or(Player::Policy(policy), |program| Player::Program(program))
}

impl Stage<'_> {
    /// Plays `jobs`, except those that are on record.
    pub(super) fn collect(
        &mut self,
        place: Place,
        jobs: Vec<Job>,
        sampling: &SamplingOptions,
    ) -> Result<Collected, TrainError> {
        let mut recorded = self.recorded(place)?;
        let mut slots: HashMap<(String, u32), usize> = HashMap::new();
        let mut found: Vec<Option<Episode>> = Vec::new();
        let mut missing = Vec::new();
        for (slot, job) in jobs.into_iter().enumerate() {
            let key = (job.task.id.clone(), job.sample);
            found.push(recorded.remove(&key));
            slots.insert(key, slot);
            missing.extend(found[slot].is_none().then_some(job));
        }
        let total = found.len();
        let reused = total - missing.len();
        (self.events)(Event::Rollout { phase: place.phase, iteration: place.iteration, total, reused });
        let mut played = Collected::default();
        if !missing.is_empty() {
            played = self.play(place, missing, sampling, (reused, total))?;
        }
        for episode in played.episodes.drain(..) {
            let slot = slots[&(episode.task.clone(), episode.sample)];
            found[slot] = Some(episode);
        }
        Ok(Collected { episodes: found.into_iter().flatten().collect(), reused, ..played })
    }

    /// What is on record, by task and sample.
    pub(super) fn recorded(&mut self, place: Place) -> Result<HashMap<(String, u32), Episode>, TrainError> {
        let episodes = self.log.episodes(place.phase, place.iteration).map_err(TrainError::Log)?;
        Ok(episodes.into_iter().map(|episode| ((episode.task.clone(), episode.sample), episode)).collect())
    }

    fn play(
        &mut self,
        place: Place,
        jobs: Vec<Job>,
        sampling: &SamplingOptions,
        (reused, total): (usize, usize),
    ) -> Result<Collected, TrainError> {
        let watch = self.watch;
        let phase = if place.phase == "probe" { Phase::Probe } else { Phase::Rollout };
        let _begun = watch.begin(phase, place.iteration, SAMPLING);
        let start = Instant::now();
        let halt = AtomicBool::new(self.stop.load(Ordering::Relaxed));
        let mut collected = Collected::default();
        let mut failure: Option<LogError> = None;
        let Self { engine, renderer, world, log, events, stop, workers, program, share, .. } = self;
        let group = jobs.iter().map(|job| job.sample + 1).max().unwrap_or_default();
        let sharing = share.then(|| Sharing::new(*world, group));
        let world: &dyn World = sharing.as_ref().map_or(*world, |sharing| sharing);
        let mut on_episode = |episode: Episode| {
            if episode.reward().is_some() && failure.is_none() {
                failure = log.record(place.phase, place.iteration, &episode).err();
            }
            if failure.is_some() || stop.load(Ordering::Relaxed) {
                halt.store(true, Ordering::Relaxed);
            }
            let done = reused + collected.episodes.len() + 1;
            let Place { phase, iteration } = place;
            events(Event::Episode { phase, iteration, done, total, episode: &episode });
            collected.episodes.push(episode);
        };
        let (timing, outcome) = with_policy(&mut **engine, renderer, sampling, |policy| {
            let program = over(*program, policy);
            let player = player(program.as_ref(), policy);
            let crew = Crew { player, world, workers: *workers, roster: &watch.roster };
            let left = dispatch(jobs, crew, &mut on_episode, &halt);
            (left, policy.busy(), policy.waited(), policy.sampled_tokens())
        });
        let (left, sampling, waited, tokens) = timing;
        if let Some(error) = failure {
            return Err(TrainError::Log(error));
        }
        outcome?;
        collected.stopped = left > 0;
        collected.shared = sharing.as_ref().map(Sharing::counts);
        self.record_invalid(place, &collected.episodes)?;
        let sum = |part: fn(&Episode) -> Duration| collected.episodes.iter().map(part).sum::<Duration>();
        let sandbox = sum(|episode| episode.acting).saturating_sub(waited);
        let grading = sum(|episode| episode.grading);
        collected.timing = Timing { wall: start.elapsed(), sampling, sandbox, grading, tokens };
        Ok(collected)
    }

    /// Records invalid episodes, if there are few.
    pub(super) fn record_invalid(&mut self, place: Place, episodes: &[Episode]) -> Result<(), TrainError> {
        let cause = |episode: &Episode| match &episode.grade {
            Grade::Invalid(cause) => Some(format!("{cause:?}")),
            Grade::Scored(_) => None,
        };
        let invalid: Vec<&Episode> = episodes.iter().filter(|episode| cause(episode).is_some()).collect();
        if invalid.len() as f64 > self.max_invalid * episodes.len() as f64 {
            let cause = invalid.first().and_then(|episode| cause(episode)).unwrap_or_default();
            let Place { phase, iteration } = place;
            let (invalid, total) = (invalid.len(), episodes.len());
            return Err(TrainError::TooManyInvalid { invalid, total, phase, iteration, cause });
        }
        for episode in invalid {
            self.log.record(place.phase, place.iteration, episode).map_err(TrainError::Log)?;
        }
        Ok(())
    }
}
