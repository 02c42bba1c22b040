//! The joint loop: probe, then iterate: rollout, update, checkpoint; probe.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use basis_gym::rollout::World;
use basis_gym::stats::{Comparison, Evaluation};
use basis_gym::task::Task;
use serde::Serialize;

use super::collect::{Place, Stage, jobs};
use super::metrics::metrics;
use super::update::Updating;
use super::{Checkpoints, Event, Mixture, RunLog, TrainConfig, TrainError};
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
    /// The weights to start from; a checkpoint replaces them.
    pub engine: &'a mut dyn Engine,
    /// The weights to start from once more, never trained: needed when `kl` is above 0, else unused.
    pub reference: Option<Box<dyn Engine>>,
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
    let Training { config, tasks, probes, world, engine, reference, renderer, log, checkpoints, stop, events } =
        training;
    config.check(&tasks.iter().map(|task| task.skill.as_str()).collect::<BTreeSet<_>>())?;
    let quota = |skill: &str| config.tasks.get(skill).copied().unwrap_or(config.tasks_per_skill);
    if tasks.iter().all(|task| quota(&task.skill) == 0) {
        return Err(TrainError::NoTasks);
    }
    let reference = if config.kl > 0.0 { Some(reference.ok_or_else(no_reference)?) } else { None };
    let checkpoints = Checkpoints::open(checkpoints)?;
    let finished = checkpoints.restore(engine)?.map_or(0, |state| state.iteration);
    log.rewind((finished > 0).then_some(u64::from(finished))).map_err(TrainError::Log)?;
    if finished > 0 {
        events(Event::Resumed { iteration: finished });
    }
    let mut mixture = Mixture::new(tasks, &quota, config.seed);
    mixture.skip(finished);
    let (workers, max_invalid) = (config.workers, config.max_invalid);
    let stage = Stage { engine, renderer, world, log, events, stop, workers, max_invalid };
    let pairs = tasks.iter().map(|task| (task.id.as_str(), task.pair.as_str())).collect();
    let mut run = Run { config, probes, checkpoints, mixture, pairs, stage, reference, finished };
    run.go_on()
}

fn no_reference() -> TrainError {
    TrainError::Setting {
        name: "kl".to_owned(),
        expected: "0 where there is no starting policy to compare with".to_owned(),
    }
}

struct Run<'a> {
    config: &'a TrainConfig,
    probes: &'a [Arc<Task>],
    checkpoints: Checkpoints,
    mixture: Mixture,
    /// The pair of each task.
    pairs: BTreeMap<&'a str, &'a str>,
    stage: Stage<'a>,
    reference: Option<Box<dyn Engine>>,
    /// Finished iterations.
    finished: u32,
}

/// Whether a part of the run came to its end or was told to stop.
enum Step<T> {
    Done(T),
    Stopped,
}

impl Run<'_> {
    fn go_on(&mut self) -> Result<TrainReport, TrainError> {
        let mut report = TrainReport { before: self.evaluation_before()?, ..TrainReport::default() };
        loop {
            if self.is_probe_due() {
                match self.probe()? {
                    Step::Stopped => return self.close(report, true),
                    Step::Done(evaluation) if self.finished == 0 => report.before = Some(evaluation),
                    Step::Done(evaluation) => report.after = Some(evaluation),
                }
            }
            if self.finished >= self.config.iterations {
                return self.close(report, false);
            }
            if let Step::Stopped = self.iterate()? {
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
        !self.probes.is_empty() && (self.finished == 0 || self.finished >= self.config.iterations || on_the_way)
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
        (self.stage.events)(Event::Probe { iteration, evaluation: &evaluation });
        Ok(Step::Done(evaluation))
    }

    fn iterate(&mut self) -> Result<Step<()>, TrainError> {
        let (config, iteration) = (self.config, self.finished + 1);
        let tasks = self.mixture.take();
        let place = Place { phase: "train", iteration };
        let jobs = jobs(&tasks, config.group, config.seed, u64::from(iteration));
        let collected = self.stage.collect(place, jobs, &config.sampling)?;
        if collected.stopped {
            return Ok(Step::Stopped);
        }
        let start = Instant::now();
        let pair_of = |task: &str| self.pairs.get(task).copied().unwrap_or_default();
        let reference = self.reference.as_deref_mut();
        let mut updating = Updating { engine: self.stage.engine, reference, config };
        let update = updating.run(&collected.episodes, &pair_of, iteration)?;
        let metrics = metrics(&collected, &update, start.elapsed());
        self.stage.log.metrics(u64::from(iteration), &metrics).map_err(TrainError::Log)?;
        self.finished = iteration;
        (self.stage.events)(Event::Iteration { iteration, iterations: config.iterations, metrics: &metrics });
        self.checkpoint().map(Step::Done)
    }

    fn checkpoint(&mut self) -> Result<(), TrainError> {
        let iteration = self.finished;
        if !iteration.is_multiple_of(self.config.checkpoint_every) && iteration < self.config.iterations {
            return Ok(());
        }
        let dir = self.checkpoints.save(self.stage.engine, self.stage.renderer.as_ref(), iteration)?;
        self.checkpoints.prune(self.config.keep)?;
        (self.stage.events)(Event::Checkpoint { iteration, dir: &dir });
        Ok(())
    }

    fn close(&self, report: TrainReport, stopped: bool) -> Result<TrainReport, TrainError> {
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
