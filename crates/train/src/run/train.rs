//! The joint loop: probe, then iterate: rollout, update, checkpoint; probe.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use basis_gym::episode::Episode;
use basis_gym::program::ProgramConfig;
use basis_gym::rollout::{Job, World};
use basis_gym::stats::{Comparison, Evaluation};
use basis_gym::task::Task;
use serde::Serialize;

use super::bias::bias;
use super::collect::{Collected, Place, Stage, jobs};
use super::interference::{self, Interference};
use super::metrics::{held_out, metrics, sampled};
use super::overlap::overlap;
use super::staleness::Staleness;
use super::update::{Updating, signal};
use super::watch::{Close, Overdue, Phase, Watch};
use super::{Checkpoints, CurriculumConfig, Event, Mixture, RunLog, TrainConfig, TrainError};
use crate::algo::Signal;
use crate::engines::Engine;
use crate::renderer::Renderer;

/// Probes share their seeds, so that two of them differ by the weights alone.
const PROBE_PLACE: u64 = u64::MAX;

/// What joint training works with.
pub struct Training<'a> {
    /// Settings.
    pub config: &'a TrainConfig,
    /// Tasks to train on.
    pub tasks: &'a [Arc<Task>],
    /// Held-out tasks, of composite kinds too; may be empty.
    pub probes: &'a [Arc<Task>],
    /// Sandboxes and graders.
    pub world: &'a dyn World,
    /// The program that acts with the turns of the policy; `None` for our own loop.
    pub program: Option<&'a ProgramConfig>,
    /// The weights to start from; a checkpoint replaces them.
    pub engine: &'a mut dyn Engine,
    /// The weights to start from once more, never trained: needed when `kl` is above 0, else unused.
    pub reference: Option<Box<dyn Engine>>,
    /// A second engine with the same model, which samples while the first one trains; `None` for one after the other. With
    /// [`TrainConfig::max_staleness`] it is needed.
    pub sampler: Option<Box<dyn Engine>>,
    /// Their format.
    pub renderer: &'a Arc<dyn Renderer>,
    /// Keeps episodes and numbers.
    pub log: &'a mut dyn RunLog,
    /// Directory of the checkpoints.
    pub checkpoints: &'a Path,
    /// Set from outside to end after the running episodes.
    pub stop: &'a AtomicBool,
    /// Told what happens.
    pub events: &'a mut dyn FnMut(Event<'_>),
    /// Told, on another thread, which phase passed its deadline and what it waits for. It should end the process when it is told
    /// so for the last time.
    pub overdue: &'a (dyn Fn(&Overdue) + Sync),
}

/// What joint training did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrainReport {
    /// Finished iterations, those before a resume included.
    pub iterations: u32,
    /// Whether it was stopped before its end; running it again goes on.
    pub stopped: bool,
    /// The probe before training; `None` without held-out tasks.
    pub before: Option<Evaluation>,
    /// The probe after training; `None` without held-out tasks or when stopped.
    pub after: Option<Evaluation>,
    /// `after` against `before`, task by task.
    pub comparison: Option<Comparison>,
    /// The newest checkpoint.
    pub checkpoint: Option<PathBuf>,
    /// The checkpoint that did best in a probe.
    pub best: Option<PathBuf>,
}

/// Trains to the end, from the newest checkpoint when there is one.
///
/// A run that was killed or stopped goes on with the same arguments: its recorded episodes are used again, and what it does
/// after that is what it would have done.
///
/// # Errors
/// [`TrainError`]; whatever was recorded until then stays, and the same call goes on from there.
pub fn train(training: Training<'_>) -> Result<TrainReport, TrainError> {
    let (watch, overdue) = (Watch::new(training.config.deadlines), training.overdue);
    std::thread::scope(|scope| {
        scope.spawn(|| watch.keep(overdue));
        let _close = Close(&watch);
        train_watched(training, &watch)
    })
}

fn train_watched(training: Training<'_>, watch: &Watch) -> Result<TrainReport, TrainError> {
    let Training {
        config,
        tasks,
        probes,
        world,
        program,
        engine,
        reference,
        sampler,
        renderer,
        log,
        checkpoints,
        stop,
        events,
        ..
    } = training;
    config.check(&tasks.iter().map(|task| task.skill.as_str()).collect::<BTreeSet<_>>())?;
    let quota = |skill: &str| config.tasks.get(skill).copied().unwrap_or(config.tasks_per_skill);
    if tasks.iter().all(|task| quota(&task.skill) == 0) {
        return Err(TrainError::NoTasks);
    }
    if sampler.is_none() && config.max_staleness > 0 {
        return Err(setting("max_staleness", "0 where there is no second engine to sample"));
    }
    let reference = if config.kl > 0.0 {
        Some(reference.ok_or_else(|| setting("kl", "0 where there is no starting policy to compare with"))?)
    } else {
        None
    };
    let checkpoints = Checkpoints::open(checkpoints)?;
    let finished = checkpoints.restore(engine)?.map_or(0, |state| state.iteration);
    log.rewind((finished > 0).then_some(u64::from(finished))).map_err(TrainError::Log)?;
    if finished > 0 {
        events(Event::Resumed { iteration: finished });
    }
    let mixture = Mixture::new(tasks, &quota, config.curriculum, config.seed);
    let (workers, max_invalid) = (config.workers, config.max_invalid);
    let share = config.share_prefixes;
    let stage = Stage { engine, renderer, world, program, log, events, stop, workers, max_invalid, watch, share };
    let pairs = tasks.iter().map(|task| (task.id.as_str(), task.pair.as_str())).collect();
    let mut run = Run {
        config,
        probes,
        checkpoints,
        mixture,
        ahead: VecDeque::new(),
        pairs,
        stage,
        reference,
        finished: 0,
        spent: 0,
    };
    run.repeat(finished)?;
    run.go_on(sampler)
}

fn setting(name: &str, expected: &str) -> TrainError {
    TrainError::Setting { name: name.to_owned(), expected: expected.to_owned() }
}

pub(super) struct Run<'a> {
    pub(super) config: &'a TrainConfig,
    probes: &'a [Arc<Task>],
    pub(super) checkpoints: Checkpoints,
    mixture: Mixture,
    /// Tasks of the next iterations that were chosen before a kill.
    ahead: VecDeque<Vec<Arc<Task>>>,
    /// The pair of each task.
    pairs: BTreeMap<&'a str, &'a str>,
    pub(super) stage: Stage<'a>,
    reference: Option<Box<dyn Engine>>,
    /// Finished iterations.
    pub(super) finished: u32,
    /// Tokens sampled in them.
    spent: u64,
}

/// Whether a part of the run came to its end or was told to stop.
pub(super) enum Step<T> {
    Done(T),
    Stopped,
}

impl Run<'_> {
    /// Chooses once more what `finished` iterations worked on, and takes note of what came out.
    fn repeat(&mut self, finished: u32) -> Result<(), TrainError> {
        let mut chosen = 0;
        for iteration in 1..=finished {
            while chosen < iteration.saturating_add(self.config.max_staleness).min(self.segment_end(iteration)) {
                self.ahead.push_back(self.mixture.take());
                chosen += 1;
            }
            self.ahead.pop_front();
            if self.config.curriculum != CurriculumConfig::default() || self.config.token_budget > 0 {
                let episodes = self.stage.log.episodes("train", iteration).map_err(TrainError::Log)?;
                self.note(&episodes);
            }
        }
        self.finished = finished;
        Ok(())
    }

    fn note(&mut self, episodes: &[Episode]) {
        self.mixture.observe(episodes);
        self.spent += episodes.iter().map(|episode| sampled(episode) as u64).sum::<u64>();
    }

    /// The iteration after which the next probe comes, from `iteration` on.
    fn segment_end(&self, iteration: u32) -> u32 {
        let every = self.config.probe.every;
        let end = if every > 0 { iteration.next_multiple_of(every) } else { self.config.iterations };
        end.min(self.config.iterations)
    }

    fn is_over(&self) -> bool {
        let budget = self.config.token_budget;
        self.finished >= self.config.iterations || (budget > 0 && self.spent >= budget)
    }

    fn go_on(&mut self, mut sampler: Option<Box<dyn Engine>>) -> Result<TrainReport, TrainError> {
        let mut report = TrainReport { before: self.evaluation_before()?, ..TrainReport::default() };
        loop {
            if self.is_probe_due() {
                match self.probe()? {
                    Step::Stopped => return self.close(report, true),
                    Step::Done(evaluation) if self.finished == 0 => report.before = Some(evaluation),
                    Step::Done(evaluation) => report.after = Some(evaluation),
                }
            }
            if self.is_over() {
                return self.close(report, false);
            }
            let step = match &mut sampler {
                Some(sampler) => overlap(self, sampler.as_mut(), self.segment_end(self.finished + 1))?,
                None => self.iterate()?,
            };
            if let Step::Stopped = step {
                return self.close(report, true);
            }
        }
    }

    /// The first probe as it was recorded, when training has already begun.
    fn evaluation_before(&mut self) -> Result<Option<Evaluation>, TrainError> {
        if self.finished == 0 || self.probes.is_empty() {
            return Ok(None);
        }
        let episodes = self.stage.log.episodes("probe", 0).map_err(TrainError::Log)?;
        Ok(Some(Evaluation::of(&episodes, self.config.probe.k, self.config.seed)))
    }

    fn is_probe_due(&self) -> bool {
        let every = self.config.probe.every;
        let on_the_way = every > 0 && self.finished.is_multiple_of(every);
        !self.probes.is_empty() && (self.finished == 0 || self.is_over() || on_the_way)
    }

    fn probe(&mut self) -> Result<Step<Evaluation>, TrainError> {
        let (config, iteration) = (self.config, self.finished);
        let place = Place { phase: "probe", iteration };
        let jobs = jobs(self.probes, config.probe.k, config.seed, PROBE_PLACE);
        let collected = self.stage.collect(place, jobs, &config.probe_sampling())?;
        if collected.stopped {
            return Ok(Step::Stopped);
        }
        let evaluation = Evaluation::of(&collected.episodes, config.probe.k, config.seed);
        if iteration > 0 {
            self.checkpoints.note(iteration, evaluation.average)?;
        }
        self.stage.log.metrics(u64::from(iteration), &held_out(&evaluation)).map_err(TrainError::Log)?;
        (self.stage.events)(Event::Probe { iteration, evaluation: &evaluation });
        Ok(Step::Done(evaluation))
    }

    fn iterate(&mut self) -> Result<Step<()>, TrainError> {
        let iteration = self.finished + 1;
        let jobs = self.jobs_of(iteration);
        let place = Place { phase: "train", iteration };
        let collected = self.stage.collect(place, jobs, &self.config.sampling)?;
        if collected.stopped {
            return Ok(Step::Stopped);
        }
        self.learn(&collected).map(Step::Done)
    }

    /// The jobs of `iteration`; called once for each, in order.
    pub(super) fn jobs_of(&mut self, iteration: u32) -> Vec<Job> {
        let tasks = self.ahead.pop_front().unwrap_or_else(|| self.mixture.take());
        jobs(&tasks, self.config.group, self.config.seed, u64::from(iteration))
    }

    /// Finishes the next iteration with these episodes.
    pub(super) fn learn(&mut self, collected: &Collected) -> Result<(), TrainError> {
        let (config, iteration, episodes) = (self.config, self.finished + 1, &collected.episodes);
        let learning_rate = config.learning_rate_in(iteration, self.spent);
        let staleness = Staleness::of(episodes, self.stage.engine.info().weight_version);
        staleness.check(u64::from(config.max_staleness) * config.batch.steps as u64)?;
        let pair_of = |task: &str| self.pairs.get(task).copied().unwrap_or_default();
        let signal = signal(episodes, &pair_of, config);
        let watch = self.stage.watch;
        let guard = watch.begin(Phase::Training, iteration, "the interference matrix");
        let interference = self.interference(episodes, &signal, learning_rate)?;
        let start = Instant::now();
        let mut updating =
            Updating { engine: self.stage.engine, reference: self.reference.as_deref_mut(), config, guard: &guard };
        let update = updating.run(episodes, signal, (iteration, learning_rate))?;
        drop(guard);
        let mut metrics = metrics(collected, &update, start.elapsed());
        metrics.extend(bias(episodes));
        metrics.extend(interference.iter().flat_map(Interference::to_metrics));
        if config.max_staleness > 0 {
            metrics.extend(staleness.to_metrics());
        }
        self.stage.log.metrics(u64::from(iteration), &metrics).map_err(TrainError::Log)?;
        self.note(episodes);
        self.finished = iteration;
        (self.stage.events)(Event::Iteration { iteration, iterations: config.iterations, metrics: &metrics });
        if let Some(matrix) = &interference {
            (self.stage.events)(Event::Interference { iteration, matrix });
        }
        self.checkpoint()
    }

    fn interference(
        &mut self,
        episodes: &[Episode],
        signal: &Signal,
        learning_rate: f64,
    ) -> Result<Option<Interference>, TrainError> {
        let every = self.config.interference_every;
        if every == 0 || !self.finished.is_multiple_of(every) {
            return Ok(None);
        }
        let scratch = self.checkpoints.scratch("interference")?;
        let config = (self.config, learning_rate);
        Ok(Some(interference::measure(self.stage.engine, (episodes, signal), config, &scratch)?))
    }

    fn checkpoint(&mut self) -> Result<(), TrainError> {
        let iteration = self.finished;
        if !iteration.is_multiple_of(self.config.checkpoint_every) && !self.is_over() {
            return Ok(());
        }
        let at = format!("the engine, which writes to {}", self.checkpoints.dir(iteration).display());
        let _begun = self.stage.watch.begin(Phase::Checkpoint, iteration, &at);
        let dir = self.checkpoints.save(self.stage.engine, self.stage.renderer.as_ref(), iteration)?;
        self.checkpoints.prune(self.config.keep)?;
        (self.stage.events)(Event::Checkpoint { iteration, dir: &dir });
        Ok(())
    }

    fn close(&self, report: TrainReport, stopped: bool) -> Result<TrainReport, TrainError> {
        self.checkpoints.sweep()?;
        let after = report.after.filter(|_| !stopped);
        let comparison = match (&report.before, &after) {
            (Some(before), Some(after)) => Some(Comparison::of(before, after, self.config.seed)),
            _ => None,
        };
        let checkpoint = self.checkpoints.iterations()?.last().map(|iteration| self.checkpoints.dir(*iteration));
        let best = self.checkpoints.best_dir()?;
        Ok(TrainReport { iterations: self.finished, stopped, after, comparison, checkpoint, best, ..report })
    }
}
